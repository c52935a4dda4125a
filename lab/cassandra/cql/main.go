// Command cql runs the CQL statements on its standard input, one after the other, as a superuser of the lab's Cassandra.
// It waits for a server that is still starting. The lab has it because Cassandra's own shell is a Python program that
// comes in no package.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gocql/gocql"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cql:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("cql", flag.ContinueOnError)
	host := flags.String("host", "127.0.0.1:18042", "host:port of Cassandra")
	user := flags.String("user", "cassandra", "login")
	password := flags.String("password", "cassandra", "password of the login")
	wait := flags.Duration("wait", time.Second, "how long to try to log in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	script, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	cluster := gocql.NewCluster(*host)
	cluster.ProtoVersion = 4
	cluster.Timeout = 20 * time.Second
	cluster.Consistency = gocql.One
	cluster.Logger = silence{}
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: *user, Password: *password}
	session, err := login(cluster, *wait)
	if err != nil {
		return fmt.Errorf("logging in at %s as %s: %w", *host, *user, err)
	}
	defer session.Close()
	return runAll(session, string(script), out)
}

// login tries again until the server is up and has its roles.
func login(cluster *gocql.ClusterConfig, wait time.Duration) (*gocql.Session, error) {
	deadline := time.After(wait)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		session, err := cluster.CreateSession()
		if err == nil {
			return session, nil
		}
		select {
		case <-deadline:
			return nil, err
		case <-tick.C:
		}
	}
}

// runAll takes everything up to a semicolon at the end of a line for a statement. Lines that start with -- are comments.
func runAll(session *gocql.Session, script string, out io.Writer) error {
	var kept []string
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, "--") {
			kept = append(kept, strings.TrimRight(line, "\r\n"))
		}
	}
	for statement := range strings.SplitSeq(strings.Join(kept, "\n")+"\n", ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		rows, err := session.Query(statement).Iter().SliceMap()
		if err != nil {
			return errors.Join(fmt.Errorf("statement %q", strings.TrimSpace(statement)), err)
		}
		for _, row := range rows {
			fmt.Fprintln(out, row)
		}
	}
	return nil
}

// silence is the driver's log.
type silence struct{}

func (silence) Print(...any)          {}
func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}
