package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"cdcbot/internal/connect"
)

// statuses argues from what Connect shows without a trace: nobody answers, tasks that nobody runs, parts that somebody
// stopped. RUNNING alone is not healthy.
func (x *examination) statuses() {
	x.silence()
	for _, s := range x.Subjects {
		if s.StatusErr == "" && s.Suspect {
			x.state(s)
		}
	}
}

// silence argues from statuses that could not be read: all of them, and the worker is gone; some, and those connectors are.
func (x *examination) silence() {
	var silent []Subject
	for _, s := range x.Subjects {
		if s.StatusErr != "" {
			silent = append(silent, s)
		}
	}
	gone := slices.DeleteFunc(slices.Clone(silent), func(s Subject) bool { return !s.absent() })
	if len(gone) > 0 {
		x.missing(gone)
		return
	}
	if len(silent) == 0 || len(silent) < len(x.Subjects) {
		for _, s := range silent {
			c := x.candidate(Unknown, "")
			c.meet(s, spot{connector: s.Connector})
			c.believe(0.3)
			c.add(x.remark(s.StatusErr, "status of "+s.Connector))
		}
		return
	}
	c := x.workerGone()
	for _, s := range silent {
		c.meet(s, spot{connector: s.Connector})
		c.add(x.remark(s.StatusErr, "Kafka Connect "+s.Cluster))
	}
}

// absent says whether Connect answered that there is no such connector.
func (s Subject) absent() bool {
	return strings.Contains(s.StatusErr, notFound) || strings.Contains(s.StatusErr, connect.ErrNotFound.Error())
}

func (x *examination) missing(gone []Subject) {
	c := x.candidate(ConfigError, "")
	c.said, c.next = "there is no such connector on the cluster", "it has to be created"
	c.Retriable, c.Why = false, "what is not there cannot be restarted"
	c.believe(0.85)
	for _, s := range gone {
		c.meet(s, spot{connector: s.Connector})
		c.add(x.remark(s.StatusErr, "status of "+s.Connector))
	}
}

// workerGone is the claim that no worker of the cluster answers.
func (x *examination) workerGone() *candidate {
	c := x.candidate(WorkerFailure, "")
	c.said, c.next = "no Kafka Connect worker answers", "the worker has to come back first"
	c.Retriable, c.Why = false, "nobody is there to restart a connector: the worker has to come back first, and its tasks start with it"
	c.believe(0.9)
	return c
}

// state argues from the states of one connector that was read.
func (x *examination) state(s Subject) {
	source := "status of " + s.Connector
	var lost []string
	for _, t := range s.Status.Tasks {
		if t.State == connect.Unassigned {
			lost = append(lost, fmt.Sprint(t.ID))
		}
	}
	switch {
	case len(s.Status.Failed()) > 0 || s.Status.State == connect.Failed:
	case len(lost) > 0 || s.Status.State == connect.Unassigned:
		c := x.candidate(WorkerFailure, "")
		c.meet(s, spot{connector: s.Connector})
		c.said, c.next = "no worker runs its tasks", "wait for the rebalance"
		c.Retriable, c.Why = false, "UNASSIGNED tasks wait for a worker: a rebalance is under way, or too few workers are left"
		c.believe(0.75)
		if x.log(s, false) || len(failedParts(s)) > 0 {
			c.Confidence = 0.35 // why there is no worker is worth more than that there is none
		}
		c.add(x.remark(strings.TrimSpace("UNASSIGNED: connector or task "+strings.Join(lost, ", ")), source))
	case s.Status.State == connect.Stopped || s.Status.State == connect.Paused:
		x.halted(s, source)
	case s.Status.State == connect.Running && len(s.Status.Tasks) == 0:
		c := x.candidate(Unknown, "")
		c.meet(s, spot{connector: s.Connector})
		c.Title, c.said, c.next = "RUNNING without a single task", "RUNNING without a single task", "look at what it should read"
		c.Retriable, c.Why = false, "it has made no tasks: what it should read (topics, tables, filters) gives it nothing to do, or asking for that failed"
		c.believe(0.45)
		if x.log(s, false) {
			c.Confidence = 0.3
		}
		c.add(x.remark("RUNNING with 0 tasks: nothing is moved", source))
	default:
		x.worker(s)
		x.silently(s)
	}
}

// halted is a connector that somebody stopped or paused. That is deliberate: nothing has failed, and only a person
// knows whether it should run.
func (x *examination) halted(s Subject, source string) {
	c := x.candidate(None, "")
	state := string(s.Status.State)
	c.meet(s, spot{connector: s.Connector})
	c.Title, c.Halted = "Stopped or paused on request", true
	c.said, c.next = "it is "+state+" on somebody's request", "resume brings it back, a restart does not"
	c.Retriable, c.Why = false, "a restart leaves a "+state+" connector "+state+": it has to be resumed"
	c.believe(0.6)
	c.add(x.remark(state+": a state that only a request sets, never a failure", source))
}

// workers argues from where the failed tasks are: all on one worker while others run tasks in good health.
func (x *examination) workers() {
	failed, well := map[string]int{}, map[string]int{}
	for _, s := range x.Subjects {
		for _, t := range s.Status.Tasks {
			switch {
			case t.WorkerID == "":
			case t.State == connect.Failed:
				failed[t.WorkerID]++
			case t.State == connect.Running:
				well[t.WorkerID]++
			}
		}
	}
	if len(failed) != 1 {
		return
	}
	for worker, n := range failed {
		if n < 2 || well[worker] > 0 || len(well) == 0 {
			return
		}
		c := x.candidate(WorkerFailure, "")
		c.believe(0.3)
		if c.said == "" {
			c.said = "every failed task is on worker " + worker
		}
		c.add(x.remark(fmt.Sprintf("all %d failed tasks are on worker %s; other workers run theirs", n, worker), "status of tasks"))
	}
}
