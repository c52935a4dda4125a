package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Handler answers Alertmanager's webhook (payload version 4, POST /alerts). It says 200 only when every alert is durable;
// 503 makes Alertmanager send again.
type Handler struct {
	Sink     Sink
	Token    string // bearer token; "" with Username "" lets everybody in
	Username string // basic auth
	Password string
	Labels   LabelNames
	MaxBody  int64         // bytes; default 1 MiB
	Timeout  time.Duration // for storing one body; default 10 s
	Now      func() time.Time
	Log      *zap.Logger
	Metrics  *Metrics // nil counts nothing
}

// payload is Alertmanager's version 4 webhook; fields that newer versions add are ignored.
// Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type payload struct {
	Version         string      `json:"version"`
	GroupKey        string      `json:"groupKey"`
	TruncatedAlerts int         `json:"truncatedAlerts"`
	ExternalURL     string      `json:"externalURL"`
	Alerts          []wireAlert `json:"alerts"`
}

type wireAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// refusal is the JSON of every answer that is not 200.
type refusal struct {
	status   int
	Error    string `json:"error"`
	Field    string `json:"field,omitempty"`
	Expected string `json:"expected,omitempty"`
}

const (
	defaultMaxBody = 1 << 20
	defaultTimeout = 10 * time.Second
	maxFingerprint = 64 // bytes; Alertmanager's have 16
)

// ServeHTTP answers 200 {"accepted":n,"truncated":m}, or a refusal that names the field, what it holds and what is expected.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	alerts, truncated, bad := h.read(w, r)
	if bad != nil {
		h.refuse(w, r, *bad)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(h.Timeout, defaultTimeout))
	defer cancel()
	if err := h.Sink.Receive(ctx, alerts); err != nil {
		h.log().Error("alerts not stored; Alertmanager will send them again", zap.Int("alerts", len(alerts)), zap.Error(err))
		h.refuse(w, r, refusal{status: http.StatusServiceUnavailable, Error: "the alerts could not be stored; send them again"})
		return
	}
	if truncated > 0 {
		h.log().Warn("Alertmanager left alerts out; raise max_alerts in its webhook configuration", zap.Int("truncated", truncated))
	}
	h.Metrics.answered(http.StatusOK, alerts)
	reply(w, http.StatusOK, map[string]int{"accepted": len(alerts), "truncated": truncated})
}

func (h *Handler) log() *zap.Logger {
	if h.Log == nil {
		return zap.NewNop()
	}
	return h.Log
}

func (h *Handler) now() time.Time {
	if h.Now == nil {
		return time.Now().UTC()
	}
	return h.Now().UTC()
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]Alert, int, *refusal) {
	if r.Method != http.MethodPost {
		return nil, 0, &refusal{status: http.StatusMethodNotAllowed, Error: "method " + short(r.Method) + " is not allowed", Field: "method", Expected: "POST"}
	}
	if !h.allowed(r) {
		return nil, 0, &refusal{status: http.StatusUnauthorized, Error: "the credentials are missing or wrong", Field: "Authorization", Expected: "the configured alerts.token as a bearer token, or alerts.username and password"}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Header.Get("Content-Type") != "" && (err != nil || kind != "application/json") {
		return nil, 0, &refusal{status: http.StatusUnsupportedMediaType, Error: "the content type is " + strconv.Quote(short(r.Header.Get("Content-Type"))), Field: "Content-Type", Expected: "application/json"}
	}
	limit := cmp.Or(h.MaxBody, defaultMaxBody)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, 0, &refusal{status: http.StatusRequestEntityTooLarge, Error: fmt.Sprintf("the body is larger than %d bytes", limit), Field: "body", Expected: "fewer alerts at once; set max_alerts in the webhook's configuration"}
	}
	if err != nil {
		return nil, 0, &refusal{status: http.StatusBadRequest, Error: "the body ended early", Field: "body"}
	}
	return h.parse(body)
}

func (h *Handler) allowed(r *http.Request) bool {
	if h.Token == "" && h.Username == "" {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if h.Token != "" && strings.EqualFold(scheme, "Bearer") && same(token, h.Token) {
		return true
	}
	user, password, ok := r.BasicAuth()
	return ok && h.Username != "" && same(user, h.Username) && same(password, h.Password)
}

// same compares without telling by its duration how much was right.
func same(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func (h *Handler) parse(body []byte) ([]Alert, int, *refusal) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, 0, malformed(err)
	}
	if p.Version != "4" {
		return nil, 0, invalid("version", p.Version, `"4"`)
	}
	if len(p.Alerts) == 0 {
		return nil, 0, &refusal{status: http.StatusBadRequest, Error: "there are no alerts", Field: "alerts", Expected: "at least one alert"}
	}
	alerts := make([]Alert, 0, len(p.Alerts))
	for i, wire := range p.Alerts {
		a, bad := h.alert(p, wire, fmt.Sprintf("alerts[%d]", i))
		if bad != nil {
			return nil, 0, bad
		}
		alerts = append(alerts, a)
	}
	return alerts, max(p.TruncatedAlerts, 0), nil
}

func malformed(err error) *refusal {
	bad := &refusal{status: http.StatusBadRequest, Error: "the body is not JSON: " + err.Error(), Field: "body", Expected: "Alertmanager's webhook payload, version 4"}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		bad.Error = fmt.Sprintf("the body is not JSON at byte %d: %s", syntax.Offset, syntax.Error())
	case errors.As(err, &kind):
		bad.Error, bad.Field, bad.Expected = fmt.Sprintf("a %s stands where something else is expected, at byte %d", kind.Value, kind.Offset), kind.Field, kind.Type.String()
	}
	return bad
}

// short keeps an answer readable whatever was sent.
func short(value string) string {
	if r := []rune(value); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return value
}

func invalid(field, value, expected string) *refusal {
	text := fmt.Sprintf("%s is missing", field)
	if value != "" {
		text = fmt.Sprintf("%s is %s", field, strconv.Quote(short(value)))
	}
	return &refusal{status: http.StatusBadRequest, Error: text, Field: field, Expected: expected}
}

// alert checks one alert of the payload and makes ours of it. at says where it stands.
func (h *Handler) alert(p payload, a wireAlert, at string) (Alert, *refusal) {
	if a.Status != string(Firing) && a.Status != string(Resolved) {
		return Alert{}, invalid(at+".status", a.Status, `"firing" or "resolved"`)
	}
	if a.Labels["alertname"] == "" {
		return Alert{}, invalid(at+".labels.alertname", "", "the alert's name")
	}
	starts, bad := moment(at+".startsAt", a.StartsAt)
	if bad != nil {
		return Alert{}, bad
	}
	out := Alert{
		Source: FromAlertmanager, Name: a.Labels["alertname"], Status: Status(a.Status),
		Connector: a.Labels[h.Labels.Connector], Task: a.Labels[h.Labels.Task], Cluster: a.Labels[h.Labels.Cluster], Pipeline: a.Labels[h.Labels.Pipeline],
		Labels: a.Labels, Annotations: a.Annotations, StartsAt: starts, Fingerprint: a.Fingerprint,
		GroupKey: p.GroupKey, GeneratorURL: a.GeneratorURL, ExternalURL: p.ExternalURL, ReceivedAt: h.now(),
	}
	if out.Status == Resolved {
		if out.EndsAt, bad = moment(at+".endsAt", a.EndsAt); bad != nil {
			return Alert{}, bad
		}
	}
	if out.Fingerprint == "" || len(out.Fingerprint) > maxFingerprint {
		out.Fingerprint = fingerprint(a.Labels)
	}
	return out, nil
}

// moment reads a time; Go's zero time, which Alertmanager sends for "not yet", is none.
func moment(field, text string) (time.Time, *refusal) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.IsZero() {
		return time.Time{}, invalid(field, text, "a time such as 2026-01-02T15:04:05Z")
	}
	return t.UTC(), nil
}

// fingerprint identifies a label set; equal sets give equal texts.
func fingerprint(labels map[string]string) string {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%q=%q,", k, labels[k])
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:8])
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, bad refusal) {
	switch bad.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		if h.Token != "" {
			w.Header().Add("WWW-Authenticate", `Bearer realm="cdcbot"`)
		}
		if h.Username != "" {
			w.Header().Add("WWW-Authenticate", `Basic realm="cdcbot", charset="UTF-8"`)
		}
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	h.Metrics.answered(bad.status, nil)
	h.log().Warn("webhook refused", zap.Int("status", bad.status), zap.String("error", bad.Error), zap.String("field", bad.Field), zap.String("from", r.RemoteAddr))
	reply(w, bad.status, bad)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}
