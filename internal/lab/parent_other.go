//go:build !linux

package lab

import "syscall"

// EndWithParent does nothing here: only Linux can tie a child to its parent, and the test's cleanup ends it anyway.
func EndWithParent() *syscall.SysProcAttr { return nil }
