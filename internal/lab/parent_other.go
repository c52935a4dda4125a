//go:build !linux

package lab

import "syscall"

// endWithParent does nothing here: only Linux can tie a child to its parent, and the test's cleanup ends it anyway.
func endWithParent() *syscall.SysProcAttr { return nil }
