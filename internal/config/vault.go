package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Source is the Vault in which the bot's own secrets may be. One way to log in is needed: a token, an AppRole, or the
// service account of a pod.
type Source struct {
	URL       string        `key:"url" check:"url"`
	Namespace string        `key:"namespace"`
	CAFile    string        `key:"ca_file" check:"file"`
	Token     string        `key:"token" secret:"true"`
	RoleID    string        `key:"role_id"`
	SecretID  string        `key:"secret_id" secret:"true"`
	Role      string        `key:"kubernetes_role"`
	JWTFile   string        `key:"kubernetes_token_file" default:"/var/run/secrets/kubernetes.io/serviceaccount/token"`
	Mount     string        `key:"mount"` // of the way to log in; approle or kubernetes when empty
	Refresh   time.Duration `key:"refresh" default:"5m" min:"10s"`
}

// Reference names a value in Vault, written vault:PATH#FIELD.
type Reference struct{ Path, Field string }

// String is the reference as it is written.
func (r Reference) String() string { return referencePrefix + r.Path + "#" + r.Field }

const referencePrefix = "vault:"

// reference reads vault:secret/cdc/slack#bot_token.
func reference(text string) (Reference, bool) {
	rest, ok := strings.CutPrefix(text, referencePrefix)
	if !ok {
		return Reference{}, false
	}
	i := strings.LastIndex(rest, "#")
	if i < 1 || i == len(rest)-1 {
		return Reference{}, false
	}
	return Reference{strings.Trim(rest[:i], "/"), rest[i+1:]}, true
}

// referable says whether a key may be a reference: secrets, and the user names that belong to them.
func referable(key string, tag reflect.StructTag) bool {
	return (tag.Get("secret") != "" || tag.Get("key") == "username") && !strings.HasPrefix(key, "vault.")
}

// refer keeps a reference for Fill. What is written like one and is none is a problem.
func (d *decoder) refer(key string, tag reflect.StructTag, raw any, from string) bool {
	text := fmt.Sprint(raw)
	if !strings.HasPrefix(text, referencePrefix) || !referable(key, tag) {
		return false
	}
	r, ok := reference(text)
	if !ok {
		d.problem(key, text, "vault:PATH#FIELD, such as vault:secret/cdc/slack#bot_token", from)
		return true
	}
	d.references[key] = r
	return true
}

// sourced checks that there is a Vault for what is said to be in it, and one way to log in.
func (d *decoder) sourced(v Source) {
	if len(d.references) > 0 && v.URL == "" {
		d.problem("vault.url", "", "the address of Vault, because "+slices.Sorted(maps.Keys(d.references))[0]+" is said to be in it", "default")
	}
	ways := 0
	for _, way := range []string{v.Token, v.RoleID, v.Role} {
		if way != "" {
			ways++
		}
	}
	if v.URL != "" && ways != 1 {
		d.problem("vault.token", "", "exactly one of vault.token (or token_file), vault.role_id and vault.kubernetes_role", "default")
	}
	if v.RoleID != "" && v.SecretID == "" {
		d.problem("vault.secret_id", "", "the secret ID of the AppRole, or vault.secret_id_file", "default")
	}
}

// References are the keys whose values are in Vault.
func (c *Config) References() map[string]Reference { return maps.Clone(c.references) }

// Fill sets every key whose value is in Vault to what look gives, and holds it to what the key expects. The error is an
// *Error that lists every problem, without values.
func (c *Config) Fill(look func(Reference) (string, error)) error {
	var e Error
	fill("", reflect.ValueOf(c).Elem(), func(key string, tag reflect.StructTag, v reflect.Value) {
		r, ok := c.references[key]
		if !ok {
			return
		}
		text, err := look(r)
		if err != nil {
			e.Problems = append(e.Problems, Problem{Key: key, Value: r.String(), Expect: "a value in Vault: " + err.Error(), From: "file"})
			return
		}
		v.SetString(text)
		if why := violates(tag, v); why != "" {
			e.Problems = append(e.Problems, Problem{Key: key, Value: hidden, Expect: why, From: r.String()})
		}
	})
	if len(e.Problems) == 0 {
		return nil
	}
	slices.SortFunc(e.Problems, func(a, b Problem) int { return strings.Compare(a.Key, b.Key) })
	return &e
}

// fill visits every text by its key. What is in a map is set anew, because it cannot be changed in its place.
func fill(prefix string, v reflect.Value, visit func(key string, tag reflect.StructTag, v reflect.Value)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := join(prefix, field.Tag.Get("key"))
		switch {
		case !field.IsExported():
		case field.Type.Kind() == reflect.Struct:
			fill(key, v.Field(i), visit)
		case field.Type.Kind() == reflect.Map:
			for _, name := range v.Field(i).MapKeys() {
				element := reflect.New(field.Type.Elem()).Elem()
				element.Set(v.Field(i).MapIndex(name))
				fill(join(key, name.String()), element, visit)
				v.Field(i).SetMapIndex(name, element)
			}
		case field.Type.Kind() == reflect.String:
			visit(key, field.Tag, v.Field(i))
		}
	}
}
