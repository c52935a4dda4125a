package config

import "strings"

// Redis is where all state lives: one server (url), a master that Sentinels name (sentinel), or a Cluster (cluster).
type Redis struct {
	URL      string   `key:"url" default:"redis://127.0.0.1:6379/0" check:"redis"`
	Username string   `key:"username"` // of an ACL; empty is Redis's user "default"
	Password string   `key:"password" secret:"true"`
	TLS      bool     `key:"tls" default:"false"` // what rediss:// says in a URL, for Sentinel and Cluster, which have none
	CAFile   string   `key:"ca_file" check:"file"`
	CertFile string   `key:"cert_file" check:"file"`
	KeyFile  string   `key:"key_file" check:"file"`
	Sentinel Sentinel `key:"sentinel"`
	Cluster  Cluster  `key:"cluster"`
	Accept   []string `key:"accept" check:"risk"` // risks that are known and borne
}

// Secure says whether the connection is encrypted.
func (r Redis) Secure() bool { return r.TLS || strings.HasPrefix(r.URL, "rediss://") }

// Sentinel is who knows the master at the moment. Username and password are the Sentinels' own.
type Sentinel struct {
	Master    string   `key:"master"`
	Addresses []string `key:"addresses" check:"hostport"`
	Username  string   `key:"username"`
	Password  string   `key:"password" secret:"true"`
	Database  int      `key:"database" default:"0" min:"0"`
}

// Cluster is a Redis Cluster, known by some of its nodes; the others are found.
type Cluster struct {
	Addresses []string `key:"addresses" check:"hostport"`
}

// Risks are what redis.accept may name.
const (
	RiskFsync    = "appendfsync" // a crash may lose the last second
	RiskReplicas = "replicas"    // a failover may lose the last writes
)

// defaultRedis is the URL that stands when nothing is given.
const defaultRedis = "redis://127.0.0.1:6379/0"

// redis checks that one shape is described, and that certificates are not given for a connection in the clear.
func (d *decoder) redis(r Redis) {
	sentinel, cluster := len(r.Sentinel.Addresses) > 0, len(r.Cluster.Addresses) > 0
	if sentinel && r.Sentinel.Master == "" {
		d.problem("redis.sentinel.master", "", "the name under which the Sentinels know the master, such as mymaster", "default")
	}
	if !sentinel && r.Sentinel.Master != "" {
		d.problem("redis.sentinel.addresses", "", "the Sentinels' addresses, such as [sentinel-0:26379, sentinel-1:26379]", "default")
	}
	if sentinel && cluster {
		d.problem("redis.cluster.addresses", r.Cluster.Addresses[0], "either redis.sentinel or redis.cluster, not both", "file")
	}
	if (sentinel || cluster) && r.URL != defaultRedis {
		d.problem("redis.url", hidden, "either redis.url or redis.sentinel or redis.cluster: leave it out, the others name servers themselves", "file")
	}
	if (r.CertFile == "") != (r.KeyFile == "") {
		d.problem("redis.cert_file", r.CertFile+r.KeyFile, "redis.cert_file and redis.key_file together, or neither", "file")
	}
	if (r.CAFile != "" || r.CertFile != "") && !r.Secure() {
		d.problem("redis.tls", "false", "true (or a URL with rediss://), because redis.ca_file or redis.cert_file is given", "default")
	}
}
