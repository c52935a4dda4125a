package main

import (
	"maps"
	"slices"

	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/userpass"
	"github.com/hashicorp/vault/plugins/database/postgresql"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// builtins are the plugins inside the program. Vault expects the factory of a backend as a value, and of a database as
// the function to call.
var builtins = map[consts.PluginType]map[string]func() (any, error){
	consts.PluginTypeCredential: {"approle": backend(approle.Factory), "userpass": backend(userpass.Factory)},
	consts.PluginTypeSecrets:    {"kv": backend(kv.Factory)},
	consts.PluginTypeDatabase:   {"postgresql-database-plugin": postgresql.New},
}

func backend(factory logical.Factory) func() (any, error) {
	return func() (any, error) { return factory, nil }
}

// registry implements Vault's BuiltinRegistry over builtins. Vault's own links every plugin there is.
type registry struct{}

// Get returns the factory of a plugin.
func (registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := builtins[kind][name]
	return factory, ok
}

// Contains says whether there is such a plugin.
func (registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := builtins[kind][name]
	return ok
}

// Keys lists the plugins of a kind.
func (registry) Keys(kind consts.PluginType) []string {
	return slices.Sorted(maps.Keys(builtins[kind]))
}

// DeprecationStatus says that a plugin we have is supported.
func (registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	if _, ok := builtins[kind][name]; !ok {
		return consts.Unknown, false
	}
	return consts.Supported, true
}

// IsBuiltinEntPlugin is false: nothing here is of the Enterprise edition.
func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
