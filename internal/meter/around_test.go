package meter

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rooted is a folder with these files, as / of a host or a container.
func rooted(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const loaded = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15\nGCC version:\n"

func TestWhyTheLibraryCannotBeLoadedAndWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		env   map[string]string
		want  string
		other bool // there is a driver
	}{
		"no driver":                {nil, nil, "no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded", false},
		"a container without GPUs": {map[string]string{".dockerenv": ""}, nil, "was given no GPU; start it with --gpus all", false},
		"a pod without GPUs":       {nil, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "was given no GPU", false},
		"Podman without GPUs":      {map[string]string{"run/.containerenv": ""}, nil, "was given no GPU", false},
		"compute alone":            {map[string]string{".dockerenv": "", "dev/nvidiactl": "", "proc/driver/nvidia/version": loaded}, map[string]string{"NVIDIA_DRIVER_CAPABILITIES": "compute"}, "NVIDIA_DRIVER_CAPABILITIES is compute in this container, which has GPUs; start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility", true},
		"no capabilities":          {map[string]string{"proc/1/cgroup": "0::/system.slice/docker/abc\n", "dev/nvidiactl": ""}, nil, "NVIDIA_DRIVER_CAPABILITIES is not set in this container", true},
		"Apptainer without --nv":   {map[string]string{"dev/nvidiactl": ""}, map[string]string{"APPTAINER_CONTAINER": "/x.sif"}, "in this container, which has GPUs", true},
		"a kernel driver alone":    {map[string]string{"proc/driver/nvidia/version": loaded}, nil, "install the driver's user-space libraries of the same version", true},
		"WSL":                      {map[string]string{"dev/dxg": ""}, nil, "add /usr/lib/wsl/lib to LD_LIBRARY_PATH", true},
	} {
		err := noLibrary(lookAround(rooted(t, c.files), func(name string) string { return c.env[name] }))
		if !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "no NVIDIA driver") == c.other {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestWhyNVMLDoesNotStartAndWhatToDo(t *testing.T) {
	host := map[string]string{"dev/nvidiactl": "", "proc/driver/nvidia/version": loaded}
	inside := map[string]string{".dockerenv": "", "dev/nvidiactl": ""}
	for _, c := range []struct {
		files map[string]string
		says  string // NVML
		want  string
	}{
		{host, "Driver/library version mismatch", "reboot, or reload the driver's modules"},
		{inside, "Driver/library version mismatch", "do not install a driver in its image"},
		{nil, "Driver Not Loaded", "sudo modprobe nvidia"},
		{host, "Insufficient Permissions", "may not open /dev/nvidia*"},
		{inside, "Unknown Error", "has lost its GPUs, as after systemctl daemon-reload"},
		{map[string]string{".dockerenv": ""}, "Driver Not Loaded", "start it with --gpus all"},
		{host, "GPU is lost", "Xid"},
		{host, "Unknown Error", "nvidia-smi on this host says more"},
	} {
		got := lookAround(rooted(t, c.files), func(string) string { return "" }).refused(c.says)
		if !strings.Contains(got, c.want) || !strings.Contains(got, "; ") {
			t.Errorf("%q with %v: %q, want %q", c.says, c.files, got, c.want)
		}
	}
}
