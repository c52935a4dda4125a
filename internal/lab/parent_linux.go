package lab

import "syscall"

// EndWithParent has the kernel kill a child when the test process is gone, even when that was killed itself.
func EndWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
