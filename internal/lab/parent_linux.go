package lab

import "syscall"

// endWithParent has the kernel kill a child when the test process is gone, even when that was killed itself.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
