package slacksim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Exchange is one thing that the app and the workspace said to each other, as it went over the wire: a call of the Web
// API with its answer, or an envelope with its ack.
type Exchange struct {
	Number int64           `json:"number"` // from 1
	At     time.Time       `json:"at"`
	From   string          `json:"from"` // app, or slack
	Name   string          `json:"name"` // method of the Web API, or type of the envelope
	Sent   json.RawMessage `json:"sent"` // arguments without the token, or the envelope's payload
	Answer json.RawMessage `json:"answer,omitempty"`
	Error  string          `json:"error,omitempty"` // what a call was refused with, or what became of an envelope without ack
}

// mostExchanges bounds what is kept.
const mostExchanges = 300

// Traffic are the newest exchanges after a number, oldest first.
func (s *Server) Traffic(after int64) []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.traffic, func(e Exchange) bool { return e.Number > after })
	if i < 0 {
		return nil
	}
	return slices.Clone(s.traffic[i:])
}

// overhear keeps an exchange.
func (s *Server) overhear(from, name string, sent, answer any, problem string) {
	e := Exchange{From: from, Name: name, Sent: frozen(sent), Error: problem}
	if answer != nil {
		e.Answer = frozen(answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges++
	e.Number, e.At = s.exchanges, s.options.Now()
	s.traffic = append(s.traffic, e)
	if len(s.traffic) > mostExchanges {
		s.traffic = slices.Delete(s.traffic, 0, len(s.traffic)-mostExchanges)
	}
}

// args are a call's arguments as they would be in JSON: what came as JSON is JSON.
func (p params) args() map[string]any {
	out := map[string]any{}
	for key, value := range p {
		if key == "token" {
			continue
		}
		out[key] = value
		if raw := json.RawMessage(value); len(value) > 1 && (value[0] == '{' || value[0] == '[') && json.Valid(raw) {
			out[key] = raw
		}
	}
	return out
}

// pageTraffic tells a page what was said since it last asked.
func (s *Server) pageTraffic(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0
	}
	list := s.Traffic(after)
	if list == nil {
		list = []Exchange{}
	}
	reply(w, http.StatusOK, map[string]any{"ok": true, "exchanges": list})
}
