package connecttest

import (
	"strconv"
)

func (w *Worker) create(r request) *answer {
	name, state, config, bad := decodeCreate(r.body)
	if bad != nil {
		return bad
	}
	if bad := w.validConfig(name, config); bad != nil {
		return bad
	}
	if _, exists := w.connectors[name]; exists {
		return refusef(409, "Connector %s already exists", name)
	}
	c := w.build(name, config)
	info := infoOf(c)
	w.launch(c, state)
	return &answer{201, info}
}

// launch brings a new connector to its first state; initial_state is KIP-980.
func (w *Worker) launch(c *connector, state string) {
	c.state, c.target = running, running
	if (state == stopped || state == paused) && !older(w.version, "3.7") {
		c.state, c.target = state, state
	}
	if c.target == stopped {
		return
	}
	change := c.change
	w.after(restartTakes, func() {
		if w.connectors[c.name] == c && c.change == change && len(c.tasks) == 0 {
			w.spawn(c, c.target)
		}
	})
}

func (w *Worker) remove(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	delete(w.connectors, r.name)
	delete(w.broken, r.name)
	w.deleted[r.name] = c
	for _, t := range c.tasks {
		t.life++
	}
	c.change++
	w.after(echoLasts, func() {
		if w.deleted[r.name] == c {
			delete(w.deleted, r.name)
		}
	})
	return &answer{code: 204}
}

// restartConnector is KIP-745 when a parameter is set. Without one, or on an older worker, only the Connector object
// restarts, and that heals no task.
func (w *Worker) restartConnector(r request) *answer {
	c, ok := w.connectors[r.name]
	if !ok {
		return refusef(404, "Unknown connector: %s", r.name)
	}
	all, some := r.query.Get("includeTasks") == "true", r.query.Get("onlyFailed") == "true"
	if older(w.version, "3.0") || !all && !some {
		if c.state == failed {
			w.restartObject(c)
		}
		return &answer{code: 204}
	}
	if c.target == stopped {
		return &answer{202, w.statusOf(c)}
	}
	if !some || c.state == failed {
		w.restartObject(c)
	}
	if all {
		for _, t := range c.tasks {
			if !some || t.state == failed {
				w.restart(c, t)
			}
		}
	}
	return &answer{202, w.statusOf(c)}
}

func (w *Worker) restartObject(c *connector) {
	c.state = restarting
	c.change++
	change := c.change
	w.after(restartTakes, func() {
		if c.change == change {
			c.state, c.trace = c.target, ""
		}
	})
}

func (w *Worker) restartTask(r request) *answer {
	c, ok := w.connectors[r.name]
	if !ok {
		return refusef(404, "Unknown connector: %s", r.name)
	}
	id, err := strconv.Atoi(r.task)
	if err != nil {
		return refuse(404, "HTTP 404 Not Found") // the path takes numbers only
	}
	if id < 0 || id >= len(c.tasks) {
		return refusef(404, "Unknown task: %s-%d", r.name, id)
	}
	w.restart(c, c.tasks[id])
	return &answer{code: 204}
}

func (w *Worker) pause(r request) *answer  { return w.aimAt(r, paused, 202) }
func (w *Worker) resume(r request) *answer { return w.aimAt(r, running, 202) }
func (w *Worker) stop(r request) *answer   { return w.aimAt(r, stopped, 204) }

func (w *Worker) aimAt(r request, target string, code int) *answer {
	c, ok := w.connectors[r.name]
	if !ok {
		return refusef(404, "Unknown connector %s", r.name)
	}
	w.aim(c, target)
	return &answer{code: code}
}
