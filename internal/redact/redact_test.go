package redact

import (
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// M stands for the mask in the tables.
const M = Mask

var texts = []struct{ name, text, want string }{
	{"url", "postgres://sink:hunter2@db:5432/shop", "postgres://sink:" + M + "@db:5432/shop"},
	{"url without user", "redis://:hunter2@cache:6379/0", "redis://:" + M + "@cache:6379/0"},
	{"url with at sign in password", "amqp://u:p@ss@host/x", "amqp://u:" + M + "@host/x"},
	{"url with slash in password", "postgres://u:p/s?s#s@host/x", "postgres://u:" + M + "@host/x"},
	{"url with several hosts", "mongodb://u:hunter2@a:1,b:2/db?x=1", "mongodb://u:" + M + "@a:1,b:2/db?x=1"},
	{"url with reference", "postgres://u:${file:/s/pg:password}@h/x", "postgres://u:${file:/s/pg:password}@h/x"},
	{"two urls", "http://a:b1b2@h,http://c:d1d2@i/", "http://a:" + M + "@h,http://c:" + M + "@i/"},
	{"jdbc parameter", "jdbc:postgresql://h/db?user=sink&password=hunter2&ssl=true", "jdbc:postgresql://h/db?user=sink&password=" + M + "&ssl=true"},
	{"sqlserver", "jdbc:sqlserver://h;user=sa;password=hunter2;x=1", "jdbc:sqlserver://h;user=sa;password=" + M + ";x=1"},
	{"oracle", "jdbc:oracle:thin:scott/tiger@h:1521/x", "jdbc:oracle:thin:scott/" + M + "@h:1521/x"},
	{"libpq", "host=h user=sink password=hunter2 dbname=shop", "host=h user=sink password=" + M + " dbname=shop"},
	{"libpq quoted", "password='hun ter2' host=h", "password='" + M + "' host=h"},
	{"environment", "PGPASSWORD=hunter2 psql", "PGPASSWORD=" + M + " psql"},
	{"flag", "vault login --token hunter2 x", "vault login --token " + M + " x"},
	{"flag with equals", "curl --password=hunter2", "curl --password=" + M},
	{"json", `{"connection.password": "hunter2", "a": 1}`, `{"connection.password": "` + M + `", "a": 1}`},
	{"json with escaped quote", `{"password":"hun\"ter2","a":"b"}`, `{"password":"` + M + `","a":"b"}`},
	{"json in json", `{"x":"{\"password\":\"hunter2\",\"a\":1}"}`, `{"x":"{\"password\":\"` + M + `\",\"a\":1}"}`},
	{"yaml", "password: hunter2\nuser: sink", "password: " + M + "\nuser: sink"},
	{"java map", "{database.password=hunter2, database.user=sink}", "{database.password=" + M + ", database.user=sink}"},
	{"ruby hash", `"secret" => "hunter2"`, `"secret" => "` + M + `"`},
	{"xml", "<password>hunter2</password>", "<password>" + M + "</password>"},
	{"api key", "api.key=abc123", "api.key=" + M},
	{"api key header", "X-Api-Key: abc123", "X-Api-Key: " + M},
	{"vault header", "X-Vault-Token: root", "X-Vault-Token: " + M},
	{"aws secret", "aws.secret.access.key=wJalrXUtnFEMI/K7MDENG", "aws.secret.access.key=" + M},
	{"aws key id", "using AKIAIOSFODNN7EXAMPLE now", "using AKIA" + M + " now"},
	{"jaas", `sasl.jaas.config=org.apache.Plain required username="u" password="p";`, `sasl.jaas.config=` + M + `"u" password="` + M + `";`},
	{"jaas in json", `{"sasl.jaas.config":"x required username=\"u\" password=\"p\";","a":"b"}`, `{"sasl.jaas.config":"` + M + `","a":"b"}`},
	{"basic auth info", "basic.auth.user.info=u:p", "basic.auth.user.info=" + M},
	{"authorization", "Authorization: Basic dXNlcjpodW50ZXIy", "Authorization: " + M},
	{"basic", "sent Basic dXNlcjpodW50ZXIy to it", "sent Basic " + M + " to it"},
	{"bearer", "sent Bearer abc123def456ghi789 to it", "sent Bearer " + M + " to it"},
	{"slack bot", "token xoxb-1234-abcdef", "token xoxb-" + M},
	{"slack app", "xapp-1-A0-1234-abcdef!", "xapp-" + M + "!"},
	{"slack webhook", "https://hooks.slack.com/services/T0/B0/abcdefgh", "https://hooks.slack.com/services/" + M},
	{"vault", "hvs.CAESIJabcdefgh", "hvs." + M},
	{"jwt", "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def-g", "got eyJ" + M},
	{"github", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_" + M},
	{"pem", "a -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- b", "a -----BEGIN RSA PRIVATE KEY-----" + M + "-----END RSA PRIVATE KEY----- b"},
	{"pem cut off", "-----BEGIN PRIVATE KEY-----\\nabc", "-----BEGIN PRIVATE KEY-----" + M},
	{"sql", "ALTER ROLE sink PASSWORD 'hunter2';", "ALTER ROLE sink PASSWORD '" + M + "';"},
	{"mysql", "CREATE USER a IDENTIFIED BY 'hunter2'", "CREATE USER a IDENTIFIED BY '" + M + "'"},

	{"reference", "connection.password=${file:/secrets/postgres:password}", "connection.password=${file:/secrets/postgres:password}"},
	{"reference in json", `{"password":"${vault:secret/data/pg:password}"}`, `{"password":"${vault:secret/data/pg:password}"}`},
	{"reference alone", "see ${secrets:token:x} there", "see ${secrets:token:x} there"},
	{"reference with default", "password=${env:PW:-hunter2}", "password=" + M + "}"},
	{"certificate", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"},
	{"postgres sentence", `FATAL: password authentication failed for user "sink"`, `FATAL: password authentication failed for user "sink"`},
	{"mysql sentence", "Access denied for user 'x'@'h' (using password: YES)", "Access denied for user 'x'@'h' (using password: YES)"},
	{"token bucket", "token bucket: 5 left; tokens are refilled", "token bucket: 5 left; tokens are refilled"},
	{"json parser", "Unrecognized token 'abc': was expecting ('true')", "Unrecognized token 'abc': was expecting ('true')"},
	{"hibernate parser", "unexpected token: select near line 1", "unexpected token: select near line 1"},
	{"basic word", "Basic authentication: required", "Basic authentication: required"},
	{"bearer word", "Bearer authentication is required", "Bearer authentication is required"},
	{"hidden by kafka", "sasl.jaas.config = [hidden]", "sasl.jaas.config = [hidden]"},
	{"null", "ssl.key.password = null\n", "ssl.key.password = null\n"},
	{"working directory", "PWD=/opt/kafka", "PWD=/opt/kafka"},
	{"file of a password", "password_file=/run/secrets/x", "password_file=/run/secrets/x"},
	{"token url", "sasl.oauthbearer.token.endpoint.url=https://id/x", "sasl.oauthbearer.token.endpoint.url=https://id/x"},
	{"credentials source", "basic.auth.credentials.source=USER_INFO", "basic.auth.credentials.source=USER_INFO"},
	{"port", "http://localhost:8083/connectors?e=a@b", "http://localhost:8083/connectors?e=a@b"},
	{"ipv6", "http://[::1]:8083/x@y", "http://[::1]:8083/x@y"},
	{"frame", "\tat io.x.TokenBucket.take(TokenBucket.java:12)", "\tat io.x.TokenBucket.take(TokenBucket.java:12)"},
	{"bypass", "bypass=yes-please compass: north", "bypass=yes-please compass: north"},
	{"empty", "", ""},
	{"not utf-8", "a\xffb", "a\uFFFDb"},
}

func TestText(t *testing.T) {
	for _, tc := range texts {
		t.Run(tc.name, func(t *testing.T) {
			got := Text(tc.text)
			if got != tc.want {
				t.Errorf("Text(%q)\n got %q\nwant %q", tc.text, got, tc.want)
			}
			if again := Text(got); again != got {
				t.Errorf("not idempotent: %q became %q", got, again)
			}
		})
	}
}

func TestRedactorText(t *testing.T) {
	r := New("s3cr3t/ü", "abc", "", "s3cr3t/ü-long")
	tests := []struct{ name, text, want string }{
		{"plain", "it says s3cr3t/ü.", "it says " + M + "."},
		{"longest first", "s3cr3t/ü-long", M},
		{"escaped for a URL", "x=s3cr3t%2F%C3%BC", "x=" + M},
		{"short values stay", "abc", "abc"},
		{"patterns too", "password=other", "password=" + M},
	}
	for _, tc := range tests {
		if got := r.Text(tc.text); got != tc.want {
			t.Errorf("%s: Text(%q) = %q, want %q", tc.name, tc.text, got, tc.want)
		}
	}
	var none Redactor
	if got := none.Text("password=x1"); got != "password="+M {
		t.Errorf("zero Redactor: %q", got)
	}
	var missing *Redactor
	if got := missing.Text("plain"); got != "plain" {
		t.Errorf("nil Redactor: %q", got)
	}
}

func TestRedactorLearns(t *testing.T) {
	r := New("first-value")
	r.Learn("second-value")
	if got := r.Text("first-value and second-value"); got != Mask+" and "+Mask {
		t.Errorf("got %q", got)
	}
	var none Redactor
	if none.Learn("third-value"); none.Text("third-value") != Mask {
		t.Error("the zero value does not learn")
	}
}

func TestRedactorConfig(t *testing.T) {
	config := map[string]string{
		"connection.url":      "jdbc:postgresql://h/db?password=hunter2",
		"connection.password": "hunter2",
		"other.password":      "${file:/secrets/postgres:password}",
		"ssl.keystore.key":    "abc",
		"license":             "xyz",
		"tasks.max":           "3",
		"topics":              "hunter2-topic",
		"empty.password":      "",
	}
	before := maps.Clone(config)
	want := map[string]string{
		"connection.url":      "jdbc:postgresql://h/db?password=" + M,
		"connection.password": M,
		"other.password":      "${file:/secrets/postgres:password}",
		"ssl.keystore.key":    M,
		"license":             M,
		"tasks.max":           "3",
		"topics":              M + "-topic",
		"empty.password":      "",
	}
	got := New("hunter2").Config(config, []string{"license"})
	if !maps.Equal(got, want) {
		t.Errorf("Config(%v)\n got %v\nwant %v", config, got, want)
	}
	if !maps.Equal(config, before) {
		t.Errorf("Config changed its argument: %v", config)
	}
}

// TestIdempotent draws texts from the pieces that the scanners look for, so that masks meet one another.
func TestIdempotent(t *testing.T) {
	pieces := []string{"password", "=", ":", "\"", "'", "\\\"", " ", "\n", "://", "@", "/", "${", "}", "x1", "Bearer ", "Basic ", "xoxb-123456", "token",
		"<", ">", "--", M, ";", ",", "jaas.config", "-----BEGIN PRIVATE KEY-----", "-----END ", "identified by", "jdbc:oracle:", "eyJ", "hvs.abcdefgh", "&", "\\", "`", "$", "dTpw"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 24).Draw(t, "pieces"), "")
		once := Text(text)
		if twice := Text(once); twice != once {
			t.Fatalf("Text(%q) = %q, then %q", text, once, twice)
		}
	})
}

// TestPlanted puts one secret into many surroundings: it must not survive in any.
func TestPlanted(t *testing.T) {
	const secret = "Zq7kPlantedSecret9x"
	surroundings := []string{"password=%", "PASSWORD = %", `"db.password" : "%"`, "jdbc:mysql://h/d?user=a&password=%&b=c", "mysql://u:%@h/x", "client_secret=%)",
		"--api-key %", "Authorization: Bearer %", `\"sasl.password\":\"%\"`, "x-amz-security-token: %", "(secretKey=%)", "[token=%]", "passphrase:%", "pass='%'"}
	for _, s := range surroundings {
		text := strings.ReplaceAll(s, "%", secret)
		if got := Text(text); strings.Contains(got, secret) {
			t.Errorf("Text(%q) = %q", text, got)
		}
	}
}

// TestLinear would take minutes if any scan were quadratic.
func TestLinear(t *testing.T) {
	for _, piece := range []string{"password=", "://a:b", "'", "-----BEGIN PRIVATE KEY-----", "${", "eyJ", " password '", "=\"", "token:\\", "Basic ", "aaaaaaaa", "jdbc:oracle:a/"} {
		text := strings.Repeat(piece, 2<<20/len(piece))
		start := time.Now()
		Text(text)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("2 MB of %q took %s", piece, took)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, tc := range texts {
		f.Add(tc.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := Text(text)
		if twice := Text(once); twice != once {
			t.Fatalf("Text(%q) = %q, then %q", text, once, twice)
		}
	})
}
