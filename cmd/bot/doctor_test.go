package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
)

func TestDoctor(t *testing.T) {
	sim := slacksim.New(slacksim.Options{})
	if _, err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	well := file(t, "well.yaml", "slack: {channel: '#cdc-incidents', bot_token: "+sim.BotToken()+", app_token: "+sim.AppToken()+", api_url: '"+sim.APIURL()+"'}\n"+
		"seal: {keys: 'k1:"+strings.Repeat("ab", 32)+"'}\nredis: {url: 'redis://"+lab.Redis(t).Addr+"/0', accept: [appendfsync]}\n"+
		"pipelines: {warehouse: {connect: {url: '"+lab.Require(t, lab.Connect).Connect+"'}}}\n")
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"well, with warnings", []string{"-c", well}, 0, "\n0 failed, "},
		{"nothing is there", []string{"-c", file(t, "c.yaml", settings)}, 1, "failed   configuration slack.bot_token: missing"},
		{"a key that nobody knows", []string{"-c", file(t, "c.yaml", settings+"aproval: {ttl: 5m}")}, 1, "→ set it to a known key (did you mean approval.ttl?)"},
		{"no such file", []string{"-c", "/nowhere.yaml"}, 1, "mend the file"},
		{"too many words", []string{"x"}, 2, "see bot doctor --help"},
		{"unknown flag", []string{"--nope"}, 2, "--nope"},
	} {
		code, out, errs := bot(t, "", append([]string{"doctor"}, row.args...)...)
		if code != row.code || !strings.Contains("\n"+out+errs, row.want) {
			t.Errorf("%s: exit %d, want %d\n%s%s", row.name, code, row.code, out, errs)
		}
	}
	code, out, _ := bot(t, "", "doctor", "--json", "-c", well)
	var report struct {
		Healthy  bool
		Findings []struct{ Check, Status, What, Mend string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 || !report.Healthy || len(report.Findings) < 10 {
		t.Errorf("exit %d, %v, %s", code, err, out)
	}
}

// Progress is told only once it takes longer than a second, and then also while nothing ends.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var quick, slow bytes.Buffer
		p := newProgress(&quick)
		p.step(2, 2)
		p.end()
		p = newProgress(&slow)
		p.step(1, 3)
		time.Sleep(quietFor)
		synctest.Wait()
		p.step(3, 3)
		p.end()
		if quick.String() != "" || slow.String() != "\r1 of 3 checks\r3 of 3 checks\n" {
			t.Errorf("quick %q, slow %q", &quick, &slow)
		}
	})
}
