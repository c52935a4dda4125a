package history

import "time"

// again is after how long a configuration that has not changed is compared with Redis once more: its keys may have expired,
// and another replica may have seen another.
const again = 5 * time.Minute

// memory is what one replica remembers of a connector, to do nothing twice: most polls change nothing. Secrets are not in it.
type memory struct {
	digest  string  // of the configuration as it is; it never leaves the process
	version version // that configuration, masked
	print   print
	taken   print     // the configuration that Redis had
	read    time.Time // when it had it
	minute  int64     // the last whose flow is kept, since 1970
}

// look is a sighting, with its configuration masked. A print of nothing says that there is none to keep.
type look struct {
	Sighting
	memory
}

// prepare masks configurations, unless they are those of the last poll.
func (s *Store) prepare(cluster string, list []Sighting) []look {
	looks := make([]look, len(list))
	s.mu.Lock()
	for i, seen := range list {
		looks[i] = look{seen, s.known[cluster][seen.Connector]}
	}
	s.mu.Unlock()
	for i := range looks {
		l := &looks[i]
		if s.Mask == nil || len(l.Config) == 0 {
			l.digest, l.version, l.print = "", version{}, print{}
			continue
		}
		if now := digest(l.Config); now != l.digest {
			l.digest, l.version = now, s.version(cluster, l.Connector, l.Config)
			l.print = l.version.print()
		}
	}
	return looks
}

// remember replaces what is known of a cluster: what is not there any more is forgotten.
func (s *Store) remember(cluster string, looks []look) {
	known := make(map[string]memory, len(looks))
	for _, l := range looks {
		known[l.Connector] = l.memory
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]map[string]memory{}
	}
	s.known[cluster] = known
}

func (s *Store) rememberOne(cluster string, l look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]map[string]memory{}
	}
	if s.known[cluster] == nil {
		s.known[cluster] = map[string]memory{}
	}
	s.known[cluster][l.Connector] = l.memory
}
