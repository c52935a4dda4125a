package alert

import (
	"bytes"
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
	MaxBody  int64 // default 1 MiB
	Now      func() time.Time
	Log      *zap.Logger
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
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
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

const defaultMaxBody = 1 << 20

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	alerts, truncated, bad := h.read(w, r)
	if bad != nil {
		h.refuse(w, r, *bad)
		return
	}
	if err := h.Sink.Receive(r.Context(), alerts); err != nil {
		h.Log.Error("alerts not stored; Alertmanager will send them again", zap.Int("alerts", len(alerts)), zap.Error(err))
		h.refuse(w, r, refusal{status: http.StatusServiceUnavailable, Error: "the alerts could not be stored; send them again"})
		return
	}
	if truncated > 0 {
		h.Log.Warn("Alertmanager left alerts out", zap.Int("truncated", truncated))
	}
	reply(w, http.StatusOK, map[string]int{"accepted": len(alerts), "truncated": truncated})
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]Alert, int, *refusal) {
	if r.Method != http.MethodPost {
		return nil, 0, &refusal{status: http.StatusMethodNotAllowed, Error: "method " + r.Method + " is not allowed", Field: "method", Expected: "POST"}
	}
	if !h.allowed(r) {
		return nil, 0, &refusal{status: http.StatusUnauthorized, Error: "the credentials are missing or wrong", Field: "Authorization", Expected: "the configured alerts.token as a bearer token, or alerts.username and password"}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Header.Get("Content-Type") != "" && (err != nil || kind != "application/json") {
		return nil, 0, &refusal{status: http.StatusUnsupportedMediaType, Error: "the content type is " + strconv.Quote(r.Header.Get("Content-Type")), Field: "Content-Type", Expected: "application/json"}
	}
	limit := h.MaxBody
	if limit == 0 {
		limit = defaultMaxBody
	}
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
	if h.Token != "" && same(r.Header.Get("Authorization"), "Bearer "+h.Token) {
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
	alerts := make([]Alert, 0, len(p.Alerts))
	for i, a := range p.Alerts {
		if bad := check(a, fmt.Sprintf("alerts[%d]", i)); bad != nil {
			return nil, 0, bad
		}
		alerts = append(alerts, h.alert(p, a))
	}
	if len(alerts) == 0 {
		return nil, 0, &refusal{status: http.StatusBadRequest, Error: "there are no alerts", Field: "alerts", Expected: "at least one alert"}
	}
	return alerts, p.TruncatedAlerts, nil
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

func check(a wireAlert, at string) *refusal {
	switch {
	case a.Status != string(Firing) && a.Status != string(Resolved):
		return invalid(at+".status", a.Status, `"firing" or "resolved"`)
	case a.Labels["alertname"] == "":
		return invalid(at+".labels.alertname", "", "the alert's name")
	case a.StartsAt.IsZero():
		return invalid(at+".startsAt", "", "a time such as 2026-01-02T15:04:05Z")
	}
	return nil
}

func invalid(field, value, expected string) *refusal {
	text := fmt.Sprintf("%s is missing", field)
	if value != "" {
		text = fmt.Sprintf("%s is %s", field, strconv.Quote(value))
	}
	return &refusal{status: http.StatusBadRequest, Error: text, Field: field, Expected: expected}
}

func (h *Handler) alert(p payload, a wireAlert) Alert {
	out := Alert{
		Source: FromAlertmanager, Name: a.Labels["alertname"], Status: Status(a.Status),
		Connector: a.Labels[h.Labels.Connector], Task: a.Labels[h.Labels.Task], Cluster: a.Labels[h.Labels.Cluster], Pipeline: a.Labels[h.Labels.Pipeline],
		Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.StartsAt.UTC(), Fingerprint: a.Fingerprint,
		GroupKey: p.GroupKey, GeneratorURL: a.GeneratorURL, ExternalURL: p.ExternalURL, ReceivedAt: h.Now().UTC(),
	}
	if out.Status == Resolved {
		out.EndsAt = a.EndsAt.UTC()
	}
	if out.Fingerprint == "" {
		out.Fingerprint = fingerprint(a.Labels)
	}
	return out
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
		w.Header().Set("WWW-Authenticate", `Bearer realm="cdcbot"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	h.Log.Warn("webhook refused", zap.Int("status", bad.status), zap.String("error", bad.Error), zap.String("from", r.RemoteAddr))
	reply(w, bad.status, bad)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}
