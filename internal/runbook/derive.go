package runbook

import "slices"

// Derivation is how an input can be found without asking anybody.
type Derivation struct {
	Kind string // "date" or "lease"
	Of   string // the format of date(1), as in "+%Y-%m-%d"; the prefix of the lease, as in "database/creds/postgresql-writer"
}

// Derived says which inputs of a section's steps can be found, by name.
func (b *Book) Derived(section string, option int) map[string]Derivation {
	out := map[string]Derivation{}
	i := slices.IndexFunc(b.Sections, func(s Section) bool { return s.ID == section })
	if i < 0 {
		return out
	}
	steps, _, err := b.Sections[i].choose(option)
	if err != nil {
		return out
	}
	for _, s := range steps {
		for _, name := range s.Inputs {
			if format, ok := b.Dates[name]; ok {
				out[name] = Derivation{Kind: "date", Of: format}
			}
		}
		if name, prefix, ok := leaseInput(s.Action); ok {
			out[name] = Derivation{Kind: "lease", Of: prefix}
		}
	}
	return out
}
