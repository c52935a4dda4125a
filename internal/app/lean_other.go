//go:build !linux

package app

// giveBack does nothing where there is no madvise(2) as Linux has it.
func giveBack() (int64, error) { return 0, nil }
