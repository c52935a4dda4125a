package app

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// giveBack lets go of the pages of our own binary that are in memory: most were needed once, to start. What is needed again
// comes back from the page cache. It returns how many bytes of address space were given back.
func giveBack() (int64, error) {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, fmt.Errorf("finding our own binary: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0, fmt.Errorf("reading our own mappings: %w", err)
	}
	defer func() { _ = maps.Close() }() // it was only read
	var sum int64
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		begin, end, ok := ofBinary(lines.Text(), self)
		if !ok {
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, begin, end-begin, syscall.MADV_DONTNEED); errno != 0 {
			return sum, fmt.Errorf("giving back pages: %w", errno)
		}
		sum += int64(end - begin)
	}
	if err := lines.Err(); err != nil {
		return sum, fmt.Errorf("reading our own mappings: %w", err)
	}
	return sum, nil
}

// ofBinary reads a line of /proc/self/maps (proc(5)): a mapping of the binary that nothing ever writes to.
func ofBinary(line, binary string) (begin, end uintptr, ok bool) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) != 6 || strings.TrimSpace(fields[5]) != binary || (fields[1] != "r-xp" && fields[1] != "r--p") {
		return 0, 0, false
	}
	if _, err := fmt.Sscanf(fields[0], "%x-%x", &begin, &end); err != nil || end <= begin {
		return 0, 0, false
	}
	return begin, end, true
}
