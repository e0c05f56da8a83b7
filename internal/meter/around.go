package meter

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// around is what is seen of GPUs and containers where llem runs, from which follows
// why NVML does not start.
type around struct {
	container    bool   // llem itself runs in one
	devices      bool   // /dev/nvidiactl is here
	kernel       string // first line of the kernel driver's version; empty: it is not loaded
	wsl          bool   // a GPU of Windows is here
	capabilities string // NVIDIA_DRIVER_CAPABILITIES
}

// lookAround looks below root, which is / but in tests.
func lookAround(root string, getenv func(string) string) around {
	there := func(path string) bool {
		_, err := os.Stat(filepath.Join(root, path))
		return err == nil
	}
	a := around{
		container: there(".dockerenv") || there("run/.containerenv") || getenv("KUBERNETES_SERVICE_HOST") != "" || getenv("APPTAINER_CONTAINER")+getenv("SINGULARITY_CONTAINER") != "",
		devices:   there("dev/nvidiactl"), wsl: there("dev/dxg"), capabilities: getenv("NVIDIA_DRIVER_CAPABILITIES"),
	}
	groups, _ := os.ReadFile(filepath.Join(root, "proc/1/cgroup")) // none: no container is known by it
	for _, name := range []string{"/docker/", "/kubepods", "/libpod-", "/lxc/", "/containerd"} {
		a.container = a.container || bytes.Contains(groups, []byte(name))
	}
	version, _ := os.ReadFile(filepath.Join(root, "proc/driver/nvidia/version")) // none: no driver
	a.kernel, _, _ = strings.Cut(strings.TrimSpace(string(version)), "\n")
	return a
}

// without says why the library cannot be loaded, and what to do; empty: the host
// has no driver.
func (a around) without() string {
	switch {
	case a.container && a.devices:
		given := "NVIDIA_DRIVER_CAPABILITIES is not set"
		if a.capabilities != "" {
			given = "NVIDIA_DRIVER_CAPABILITIES is " + a.capabilities
		}
		return given + " in this container, which has GPUs; start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility (utility brings NVML), or run llem on the host"
	case a.container:
		return "this is a container that was given no GPU; start it with --gpus all, or run llem on the host, which starts containers itself"
	case a.wsl:
		return "this is WSL, and its library is not found; add /usr/lib/wsl/lib to LD_LIBRARY_PATH, and keep the driver of Windows up to date"
	case a.kernel != "" || a.devices:
		return "the kernel driver is loaded, and its library is not installed or not found; install the driver's user-space libraries of the same version (libnvidia-compute, nvidia-driver-libs), then run sudo ldconfig"
	}
	return ""
}

// refused says what to do about a library that is there and does not start. what is
// NVML's own word for it.
func (a around) refused(what string) string {
	word := strings.ToLower(strings.ReplaceAll(what, "_", " "))
	mismatch := strings.Contains(word, "mismatch")
	switch {
	case mismatch && a.container:
		return "the library in this container is of another version than the host's driver; restart the container, and do not install a driver in its image"
	case mismatch:
		return "the library and the loaded kernel driver are of different versions, as after an update; reboot, or reload the driver's modules"
	case strings.Contains(word, "permission"):
		return "this user may not open /dev/nvidia*; see ls -l /dev/nvidia*, and give read and write permission"
	case a.container && !a.devices:
		return "this is a container without /dev/nvidiactl; start it with --gpus all"
	case a.container:
		return "this is a container that has lost its GPUs, as after systemctl daemon-reload on the host; restart it, and see that nvidia-smi works on the host"
	case strings.Contains(word, "driver not loaded"):
		return "the kernel driver is not loaded; sudo modprobe nvidia, and where that fails reinstall the driver for this kernel, or reboot"
	case strings.Contains(word, "lost"):
		return "a GPU has fallen off the bus; see sudo dmesg for Xid errors, and reboot"
	}
	return "nvidia-smi on this host says more; see sudo dmesg for NVRM and Xid"
}

// noLibrary is ErrNoLibrary with its reason here.
func noLibrary(a around) error {
	switch why := a.without(); {
	case why == "":
		return ErrNoLibrary
	case a.devices || a.kernel != "" || a.wsl:
		return unfound{"libnvidia-ml.so.1 (NVML) cannot be loaded: " + why}
	default:
		return fmt.Errorf("%w: %s", ErrNoLibrary, why)
	}
}

// unfound is ErrNoLibrary where there is a driver.
type unfound struct{ text string }

func (u unfound) Error() string      { return u.text }
func (unfound) Is(target error) bool { return target == ErrNoLibrary }

// spaced is a text after a space, or nothing.
func spaced(text string) string {
	if text == "" {
		return ""
	}
	return " " + text
}
