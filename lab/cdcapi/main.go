// Command cdcapi is the lab's CDC API: it lists and replays the dead-letter queue of the pipeline, as the operator's API
// does. What it lists are the records of a real Kafka topic, with the error headers that Connect puts on them (KIP-298);
// what it resolves is kept in a second, compacted topic; and a replay produces the record to the topic it came from. It
// answers at "" with the outcome, and at /api/v1 with 202 and an ID to ask for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cdcapi:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cdcapi", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:18180", "host:port to serve")
	brokers := flags.String("kafka", "127.0.0.1:18092", "host:port of brokers, with commas")
	topic := flags.String("topic", "dlq-events", "the topic of dead letters")
	state := flags.String("state", "dlq-resolutions", "the topic that keeps what is resolved")
	if err := flags.Parse(args); err != nil {
		return err
	}
	q, err := openQueue(strings.Split(*brokers, ","), *topic, *state)
	if err != nil {
		return err
	}
	following := make(chan struct{})
	go func() {
		defer close(following)
		q.follow(ctx)
	}()
	a := newAPI(ctx, q)
	server := &http.Server{Addr: *listen, Handler: a.handler(), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("serving %s at %s", *topic, *listen)
	select {
	case err = <-failed:
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = server.Shutdown(ending)
		<-following
		a.working.Wait()
	}
	q.close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
