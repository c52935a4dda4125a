package history

import (
	"encoding/json"
	"slices"
	"time"
)

// head is what is known of a connector now. Every change of it is compared with what was read, so that of several replicas
// that see the same one alone writes.
type head struct {
	Print  print     `json:"print"`          // of the configuration that was seen last
	Before print     `json:"before"`         // of the one before it
	Seen   time.Time `json:"seen,omitzero"`  // when that configuration was first seen
	Well   bool      `json:"well,omitempty"` // the connector ran healthy with it
	Bad    time.Time `json:"bad,omitzero"`   // since when the connector is not healthy
	Fine   time.Time `json:"fine,omitzero"`  // when it was first seen healthy after that
	Traced bool      `json:"traced,omitempty"`
	Kept   time.Time `json:"kept"` // when its keys were last given their time to live
}

// readHead decodes a head. One that cannot be read was written by another release: what is seen now begins anew.
func readHead(raw string) head {
	var h head
	if json.Unmarshal([]byte(raw), &h) != nil {
		return head{}
	}
	return h
}

// change is what besides the head a sighting changes, in the words of save.lua; "" is nothing.
type change struct{ config, trace string }

const (
	pushVersion = "push" // a new one
	setVersion  = "set"  // the last one is known better
	keepTrace   = "keep" // the sighting's is the first
	dropTrace   = "drop" // the connector is healthy again
)

// see is what a head becomes by a look. It is pure: a replica that lost against another may see again.
func (h head) see(l look, now time.Time, keep time.Duration) (head, change) {
	var c change
	c.config = h.seeConfig(l, now)
	c.trace = h.seeHealth(l.Sighting, now)
	if now.Sub(h.Kept) > keep/10 {
		h.Kept = now
	}
	return h, c
}

// seeConfig takes in a configuration. Health proves a version only when it is seen after it: right after a change,
// Connect still answers the states from before.
func (h *head) seeConfig(l look, now time.Time) string {
	later := now.Sub(h.Seen) >= apart
	switch {
	case l.print == (print{}):
		return ""
	case l.print == h.Print:
		if h.Well || !later || l.State == "" || !l.Healthy {
			return ""
		}
		h.Well = true
		return setVersion
	case l.print == h.Before && !later: // from a replica that looked before the change
		return ""
	case l.print.Masked == h.Print.Masked && l.print.Kind != h.Print.Kind: // other marks of what may be the same secrets
		h.Print = l.print
		return setVersion
	}
	h.Before, h.Print, h.Seen, h.Well = h.Print, l.print, now, false
	return pushVersion
}

// between are states on the way to another: they prove nothing.
var between = []string{"RESTARTING", "UNASSIGNED", "DESTROYED"}

// seeHealth takes in a state. A connector is healthy again when it was seen so at two moments.
func (h *head) seeHealth(s Sighting, now time.Time) string {
	switch {
	case s.State == "", s.Healthy && h.Bad.IsZero():
		return ""
	case s.Healthy && h.Fine.IsZero():
		h.Fine = now
		return ""
	case s.Healthy && now.Sub(h.Fine) < apart:
		return ""
	case s.Healthy:
		h.Bad, h.Fine, h.Traced = time.Time{}, time.Time{}, false
		return dropTrace
	case slices.Contains(between, s.State):
		h.Fine = time.Time{}
		return ""
	}
	return h.seeBad(s, now)
}

func (h *head) seeBad(s Sighting, now time.Time) string {
	h.Fine = time.Time{}
	if h.Bad.IsZero() {
		h.Bad = now
	}
	if h.Traced || s.Trace == "" {
		return ""
	}
	h.Traced = true
	return keepTrace
}
