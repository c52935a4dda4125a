package remediation

import "time"

// Baseline is how far the pipeline had come when a run started; progress beyond it is the proof that it recovered.
type Baseline struct {
	At      time.Time         `json:"at"`
	Offsets map[string]string `json:"offsets,omitempty"` // connector → canonical offsets
	Rows    map[string]int64  `json:"rows,omitempty"`    // probe name → count
}
