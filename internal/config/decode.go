package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
)

// decoder walks the Config by its tags and collects problems instead of stopping at the first.
type decoder struct {
	given      map[string]any
	env        map[string]string
	known      []string             // every key that exists, for unknown keys and their nearest match
	used       []string             // environment variables that were taken
	files      map[string]string    // that secrets were read from, by key
	references map[string]Reference // whose values are in Vault, by key
	problems   []Problem
}

const hidden = "••••••"

func (d *decoder) structure(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := join(prefix, field.Tag.Get("key"))
		switch {
		case !field.IsExported(): // what was found out, not what was told
		case field.Type.Kind() == reflect.Map:
			d.named(key, field.Tag.Get("marker"), v.Field(i))
		case field.Type.Kind() == reflect.Struct:
			d.known = append(d.known, key)
			d.structure(key, v.Field(i))
		default:
			d.leaf(key, field.Tag, v.Field(i))
		}
	}
}

// named fills a map of named settings, such as the pipelines: names come from the file and, where the tag marker names
// a key that every entry has, from environment variables that end in it.
func (d *decoder) named(key, marker string, v reflect.Value) {
	d.known = append(d.known, key)
	v.Set(reflect.MakeMap(v.Type()))
	for _, name := range d.names(key, marker) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.known = append(d.known, join(key, name))
		d.structure(join(key, name), element)
		v.SetMapIndex(reflect.ValueOf(name), element)
	}
}

func (d *decoder) names(key, marker string) []string {
	var names []string
	if node, ok := lookup(d.given, key); ok {
		section, isMap := node.(map[string]any)
		if !isMap && node != nil {
			d.problem(key, fmt.Sprint(node), "a mapping of names to their settings", "file")
		}
		for name := range section {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if marker == "" {
		return names
	}
	return append(names, d.envNames(key, marker, names)...)
}

// envNames finds entries that only the environment names, by the one key every entry has.
func (d *decoder) envNames(key, marker string, have []string) []string {
	var names []string
	for variable := range d.env {
		rest, ok := strings.CutPrefix(variable, EnvName(key)+"_")
		if !ok {
			continue
		}
		name, ok := strings.CutSuffix(rest, "_"+marker)
		if !ok || slices.ContainsFunc(have, func(h string) bool { return EnvName(h) == EnvName(name) }) {
			continue
		}
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return names
}

func (d *decoder) leaf(key string, tag reflect.StructTag, v reflect.Value) {
	d.known = append(d.known, key)
	raw, from := d.value(key, tag)
	if tag.Get("secret") != "" {
		d.known = append(d.known, key+"_file")
		raw, from = d.secret(key, raw, from)
	}
	if raw == nil || raw == "" {
		if tag.Get("required") != "" {
			d.problem(key, "", expectation(tag, v), from)
		}
		return
	}
	if d.refer(key, tag, raw, from) {
		return
	}
	if why := set(v, raw); why != "" {
		d.problem(key, show(tag, raw), why, from)
		return
	}
	if why := violates(tag, v); why != "" {
		d.problem(key, show(tag, raw), why, from)
	}
}

func (d *decoder) value(key string, tag reflect.StructTag) (any, string) {
	name := EnvName(key)
	if text, ok := d.env[name]; ok {
		d.used = append(d.used, name)
		return text, "environment " + name
	}
	if raw, ok := lookup(d.given, key); ok && raw != nil {
		return raw, "file"
	}
	return tag.Get("default"), "default"
}

// secret prefers the value itself; otherwise it reads the file that "<key>_file" names. Giving both is a mistake worth telling.
func (d *decoder) secret(key string, raw any, from string) (any, string) {
	path, pathFrom := d.value(key+"_file", "")
	name, isText := path.(string)
	if !isText {
		d.problem(key+"_file", fmt.Sprint(path), "the path of a file that holds the secret", pathFrom)
		return raw, from
	}
	if name == "" {
		return raw, from
	}
	if raw != nil && raw != "" {
		d.problem(key+"_file", name, "either "+key+" or "+key+"_file, not both", pathFrom)
		return raw, from
	}
	body, err := os.ReadFile(name)
	if err != nil {
		d.problem(key+"_file", name, "a readable file that holds the secret ("+reason(err)+")", pathFrom)
		return nil, from
	}
	d.files[key] = name
	text := strings.TrimRight(string(body), "\r\n")
	if text == "" {
		d.problem(key+"_file", name, "a file that holds the secret; it is empty", pathFrom)
	}
	return text, "file " + name
}

func reason(err error) string {
	if os.IsNotExist(err) {
		return "no such file"
	}
	if os.IsPermission(err) {
		return "permission denied"
	}
	return "cannot be read"
}

// unknown reports keys and environment variables that nothing reads: a typo must not be silent.
func (d *decoder) unknown() {
	for _, key := range leaves("", d.given) {
		if !slices.Contains(d.known, key) {
			d.problem(key, "set", "a known key"+nearest(key, d.known), "file")
		}
	}
	for name := range d.env {
		if slices.Contains(d.used, name) {
			continue
		}
		names := make([]string, len(d.known))
		for i, k := range d.known {
			names[i] = EnvName(k)
		}
		d.problem(name, "set", "the environment name of a known key"+nearest(name, names), "environment")
	}
}

func nearest(word string, words []string) string {
	best, distance := "", 4
	for _, w := range words {
		if n := levenshtein.ComputeDistance(word, w); n < distance {
			best, distance = w, n
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

func (d *decoder) problem(key, value, expect, from string) {
	d.problems = append(d.problems, Problem{Key: key, Value: value, Expect: expect, From: from})
}

func show(tag reflect.StructTag, raw any) string {
	if tag.Get("secret") != "" {
		return hidden
	}
	text := fmt.Sprint(raw)
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return u.Redacted()
	}
	return text
}

// set stores raw in v; the answer is what was expected when raw does not fit.
func set(v reflect.Value, raw any) string {
	switch v.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(fmt.Sprint(raw))
		if err != nil {
			return "a duration such as 30s, 10m or 2h"
		}
		v.SetInt(int64(d))
	case string:
		if nested(raw) {
			return "text"
		}
		v.SetString(fmt.Sprint(raw))
	case int:
		n, err := strconv.Atoi(fmt.Sprint(raw))
		if err != nil {
			return "a whole number"
		}
		v.SetInt(int64(n))
	case bool:
		b, err := strconv.ParseBool(fmt.Sprint(raw))
		if err != nil {
			return "true or false"
		}
		v.SetBool(b)
	case []string:
		list, ok := texts(raw)
		if !ok {
			return "a list of texts"
		}
		v.Set(reflect.ValueOf(list))
	}
	return ""
}

func nested(raw any) bool {
	switch raw.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func texts(raw any) ([]string, bool) {
	switch list := raw.(type) {
	case string:
		parts := strings.Split(list, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return slices.DeleteFunc(parts, func(s string) bool { return s == "" }), true
	case []any:
		out := make([]string, len(list))
		for i, item := range list {
			if nested(item) || item == nil {
				return nil, false
			}
			out[i] = fmt.Sprint(item)
		}
		return out, true
	}
	return nil, false
}

// violates says what was expected when a value of the right type is not an allowed one.
func violates(tag reflect.StructTag, v reflect.Value) string {
	ok := true
	if words := tag.Get("oneof"); words != "" {
		ok = slices.Contains(strings.Fields(words), v.String())
	}
	if prefix := tag.Get("prefix"); prefix != "" {
		ok = strings.HasPrefix(v.String(), prefix)
	}
	if check := tag.Get("check"); check != "" {
		ok = every(v, checks[check].ok)
	}
	if !ok || !within(tag, v) {
		return expectation(tag, v)
	}
	return ""
}

// every holds a text, or each text of a list, to a shape.
func every(v reflect.Value, ok func(string) bool) bool {
	list, isList := v.Interface().([]string)
	if !isList {
		list = []string{v.String()}
	}
	return !slices.ContainsFunc(list, func(s string) bool { return !ok(s) })
}

func within(tag reflect.StructTag, v reflect.Value) bool {
	if v.Kind() != reflect.Int && v.Kind() != reflect.Int64 {
		return true
	}
	low, high := bound(tag.Get("min"), v), bound(tag.Get("max"), v)
	return (low == nil || v.Int() >= *low) && (high == nil || v.Int() <= *high)
}

func bound(text string, v reflect.Value) *int64 {
	if text == "" {
		return nil
	}
	limit := reflect.New(v.Type()).Elem()
	set(limit, text)
	n := limit.Int()
	return &n
}

func expectation(tag reflect.StructTag, v reflect.Value) string {
	switch {
	case tag.Get("oneof") != "":
		return "one of " + strings.Join(strings.Fields(tag.Get("oneof")), ", ")
	case tag.Get("prefix") != "":
		return "a token that starts with " + tag.Get("prefix")
	case tag.Get("check") != "":
		return checks[tag.Get("check")].expect
	case tag.Get("min") != "" && tag.Get("max") != "":
		return "a value from " + tag.Get("min") + " to " + tag.Get("max")
	case tag.Get("min") != "":
		return "a value of at least " + tag.Get("min")
	}
	return "a value of type " + v.Type().String()
}

type check struct {
	expect string
	ok     func(string) bool
}

// checks are the named shapes that a text key may be held to.
var checks = map[string]check{
	"hostport": {"host:port, such as 127.0.0.1:8080 or :8080", func(s string) bool {
		_, port, err := net.SplitHostPort(s)
		n, perr := strconv.Atoi(port)
		return err == nil && perr == nil && n >= 0 && n < 65536
	}},
	"url":      {"a URL such as http://localhost:8083", schemeIn("http", "https")},
	"link":     {"titles, each with an address, such as On-call schedule https://example.com/oncall", func(s string) bool { return NamedLink(s).URL != "" }},
	"record":   {"messages, pins or reactions", func(s string) bool { return slices.Contains([]string{"messages", "pins", "reactions"}, s) }},
	"redis":    {"a URL such as redis://127.0.0.1:6379/0 (also rediss:// and unix://)", schemeIn("redis", "rediss", "unix")},
	"risk":     {"risks that are known and borne: " + RiskFsync + ", " + RiskReplicas, func(s string) bool { return s == RiskFsync || s == RiskReplicas }},
	"postgres": {"a URL such as postgres://user@localhost:5432/warehouse", schemeIn("postgres", "postgresql")},
	"folder": {"the path of a folder", func(s string) bool {
		info, err := os.Stat(s)
		return err == nil && info.IsDir()
	}},
	"file": {"the path of a readable file", func(s string) bool {
		info, err := os.Stat(s)
		return err == nil && !info.IsDir()
	}},
}

func schemeIn(schemes ...string) func(string) bool {
	return func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && slices.Contains(schemes, u.Scheme) && (u.Host != "" || u.Scheme == "unix")
	}
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// lookup finds a dotted key. A pipeline's name may hold dots itself, so at each level the longest fitting key wins.
func lookup(node map[string]any, key string) (any, bool) {
	if v, ok := node[key]; ok {
		return v, true
	}
	for name, v := range node {
		rest, ok := strings.CutPrefix(key, name+".")
		child, isMap := v.(map[string]any)
		if !ok || !isMap {
			continue
		}
		if found, ok := lookup(child, rest); ok {
			return found, true
		}
	}
	return nil, false
}

func leaves(prefix string, node map[string]any) []string {
	var keys []string
	for name, v := range node {
		key := join(prefix, name)
		if child, ok := v.(map[string]any); ok && len(child) > 0 {
			keys = append(keys, leaves(key, child)...)
			continue
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// check holds what no single key can say.
func (d *decoder) check(c *Config) {
	if len(c.Pipelines) == 0 {
		d.problem("pipelines", "", "at least one pipeline, such as pipelines.warehouse.connect.url", "default")
	}
	for name, p := range c.Pipelines {
		if c.Slack.Channel == "" && p.Channel == "" {
			d.problem("pipelines."+name+".channel", "", "a channel ID or name here or in slack.channel", "default")
		}
	}
	for name, p := range c.Pipelines {
		d.failover("pipelines."+name+".failover", p.Failover)
	}
	d.redis(c.Redis)
	d.sourced(c.Vault)
	if d.has(c.Alerts.Username, "alerts.username") != d.has(c.Alerts.Password, "alerts.password") {
		d.problem("alerts.username", c.Alerts.Username+hidden, "username and password together, or neither", "file")
	}
}

// has says whether a key has a value, here or in Vault.
func (d *decoder) has(value, key string) bool {
	_, there := d.references[key]
	return there || value != ""
}

// failover checks that connectors are written here=there, and that there is a cluster for them.
func (d *decoder) failover(key string, f Failover) {
	for _, pair := range f.Connectors {
		here, there, ok := strings.Cut(pair, "=")
		if !ok || here == "" || there == "" {
			d.problem(key+".connectors", pair, "connectors written here=there, such as postgres-sink=postgres-sink-backup", "file")
		}
	}
	if len(f.Connectors) > 0 && f.Connect.URL == "" {
		d.problem(key+".connect.url", "", "the Connect cluster in the other region", "default")
	}
}
