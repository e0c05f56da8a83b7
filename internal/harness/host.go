package harness

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/result"
)

// describeHost reads what a record says of the machine. What cannot be read
// stays empty.
func describeHost() result.Host {
	h := result.Host{
		CPU: procField("/proc/cpuinfo", "model name"), CPUs: runtime.NumCPU(),
		OS:       strings.Trim(procFieldSep("/etc/os-release", "PRETTY_NAME", "="), `"`),
		Governor: firstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		Kernel:   kernel(),
	}
	h.Hostname, _ = os.Hostname() // empty is allowed
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(procField("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		h.MemoryMB = kb / 1024
	}
	return h
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

func procField(path, key string) string { return procFieldSep(path, key, ":") }

// procFieldSep is the value of the first line "key<sep>value" of a file.
func procFieldSep(path, key, sep string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), sep); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

// FreeSpace is what this user may still write where path lies.
func FreeSpace(path string) (int64, bool) {
	var s unix.Statfs_t
	for unix.Statfs(path, &s) != nil {
		if up := filepath.Dir(path); up != path { // what is not there yet will be made in it
			path = up
			continue
		}
		return 0, false
	}
	return int64(s.Bavail) * s.Bsize, true
}
