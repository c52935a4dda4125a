package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const operators = "../../internal/runbook/testdata/operator.md"

// Every runbook that ships, and the operator's own unmodified one, recover the faults that they are for.
func TestDrills(t *testing.T) {
	cases := []struct {
		book, fault string
		more        []string
	}{
		{"kafka-connect-connector-failure", "a1", nil},
		{"kafka-connect-connector-failure", "b1", nil},
		{"kafka-connect-connector-failure", "c2", nil},
		{"kafka-connect-connector-failure", "d1", nil},
		{"kafka-connect-connector-failure", "e1", nil},
		{"kafka-connect-connector-failure", "f1", nil},
		{"high-consumer-lag", "a1", nil},
		{"high-consumer-lag", "c2", nil},
		{"schema-mismatch", "d1", nil},
		{"schema-mismatch", "d2", []string{"--input", "column=age"}},
		{"vault-sealed", "b1", nil},
		{operators, "a1", nil},
		{operators, "b1", nil},
		{operators, "c2", nil},
		{operators, "d1", nil},
		{operators, "e1", nil},
		{operators, "f1", nil},
	}
	for _, c := range cases {
		t.Run(c.book[strings.LastIndex(c.book, "/")+1:]+"/"+c.fault, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := run(t.Context(), append([]string{"drill", c.book, "--fault", c.fault, "--timeout", "150s"}, c.more...), &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
			for _, want := range []string{"alert ", "diagnosis ", "approver  approves", "verdict   fixed", "proof  "} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the story lacks %q:\n%s", want, out.String())
				}
			}
		})
	}
}

// A drill fails when the runbook does not recover, and says what is wrong with how it was called.
func TestDrillsThatFail(t *testing.T) {
	cases := []struct {
		name, want string
		args       []string
	}{
		{"no runbook", "no runbook", []string{"--fault", "a1"}},
		{"no such runbook", "nope.md", []string{"nope.md", "--fault", "a1"}},
		{"no fault", "expected one of a1-postgres-down", []string{"kafka-connect-connector-failure"}},
		{"no such fault", `fault "zz"`, []string{"kafka-connect-connector-failure", "--fault", "zz"}},
		{"two runbooks", "expected one runbook", []string{"kafka-connect-connector-failure", "--fault", "a1", "another"}},
		{"a runbook without an alert", "answers no alert", []string{"../../docs/redis.md", "--fault", "a1"}},
		{"a blank that is none", "name=value", []string{"kafka-connect-connector-failure", "--input", "x"}},
		{"a runbook for something else", errDrill.Error(), []string{"vault-sealed", "--fault", "d1", "--timeout", "60s"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := run(t.Context(), append([]string{"drill"}, c.args...), &out)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q\n%s", err, c.want, out.String())
			}
			if c.want == errDrill.Error() && !errors.Is(err, errDrill) {
				t.Errorf("got %v", err)
			}
		})
	}
}
