// Command service is what runs in the lab's containers: it stands in for PostgreSQL, Cassandra and the others where only
// their being containers matters. `service NAME` says that it has started and goes on saying so; `service check` is its
// health check; `service be healthy|unhealthy|dead` tells the running one what to become; `service die WHY` ends at once.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// state is the file through which one process tells the other.
const state = "/tmp/state"

func main() {
	args := append(os.Args[1:], "", "")
	switch args[0] {
	case "check":
		check()
	case "be":
		if err := os.WriteFile(state, []byte(args[1]), 0o600); err != nil {
			fail(err)
		}
	case "die":
		fail(errors.New(args[1]))
	default:
		serve(args[0])
	}
}

func check() {
	if body, err := os.ReadFile(state); err == nil && string(body) == "unhealthy" {
		fmt.Println("told to be unhealthy")
		os.Exit(1)
	}
	fmt.Println("ok")
}

// serve runs until it is told to stop or to die. What it becomes is forgotten when it starts anew.
func serve(name string) {
	_ = os.Remove(state) // not there at a first start
	fmt.Printf("INFO %s started\n", name)
	fmt.Fprintf(os.Stderr, "ERROR %s: a line for those who look for errors\n\tat line 1\n\tat line 2\n", name)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	ticker := time.NewTicker(200 * time.Millisecond)
	for n := 0; ; n++ {
		select {
		case <-stop:
			fmt.Printf("INFO %s stopped\n", name)
			return
		case <-ticker.C:
		}
		if body, err := os.ReadFile(state); err == nil && string(body) == "dead" {
			fail(fmt.Errorf("%s was told to die", name))
		}
		if n%1500 == 0 { // every five minutes
			fmt.Printf("INFO %s is here, %d\n", name, n/1500)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "FATAL", err)
	os.Exit(3)
}
