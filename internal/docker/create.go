package docker

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Limits of an engine's log on disk.
var logLimits = map[string]string{"max-size": "64m", "max-file": "2"}

// configure turns a spec into what the daemon is asked for. It is pure.
// token says that there is one to give; pidMax is the host's kernel.pid_max.
func configure(s launch.Spec, token bool, pidMax string) (*container.Config, *container.HostConfig, error) {
	port := nat.Port(strconv.Itoa(s.Port) + "/tcp")
	cfg := &container.Config{
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, // the image's own would run in the window
		Image:       s.ImageID, Cmd: s.Cmd, User: s.Container.User, ExposedPorts: nat.PortSet{port: {}},
		Labels: map[string]string{
			labelRun: s.Run, labelLock: s.Lock, labelExperiment: s.Experiment, labelPID: strconv.Itoa(s.PID), labelGPUs: strings.Join(s.GPUs, ","),
		},
	}
	if len(s.Container.Entrypoint) > 0 {
		cfg.Entrypoint = s.Container.Entrypoint
	}
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		cfg.Env = append(cfg.Env, k+"="+s.Env[k])
	}
	init := true
	host := &container.HostConfig{
		PortBindings: nat.PortMap{port: {{HostIP: "127.0.0.1", HostPort: "0"}}},
		IpcMode:      container.IpcMode(s.Container.IPC),
		SecurityOpt:  []string{"no-new-privileges"},
		LogConfig:    container.LogConfig{Type: "json-file", Config: logLimits},
		Init:         &init,
		CapDrop:      []string{"ALL"},
	}
	for _, m := range s.Mounts {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, c := range s.Caches {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: c.Name, Target: c.Target, VolumeOptions: &mount.VolumeOptions{
			Labels: map[string]string{labelCache: s.Engine},
		}})
	}
	if s.KeyVariable != "" {
		cfg.Env = append(cfg.Env, s.KeyVariable+"="+string(s.Key))
	}
	if token && s.HFTokenFile != "" {
		cfg.Env = append(cfg.Env, "HF_TOKEN_PATH="+s.HFTokenFile)
	}
	pids := pidsLimit(s.Container.PidsLimit, pidMax)
	host.PidsLimit = &pids
	if err := resources(s, host); err != nil {
		return nil, nil, err
	}
	if err := seal(s, token, host); err != nil {
		return nil, nil, err
	}
	return cfg, host, nil
}

// scratch is how /tmp is mounted in a container whose root is read-only: engines
// compile to it and run what they compiled.
const scratch = "rw,exec,nosuid,nodev,mode=1777"

// seal makes the root filesystem read-only where the engine runs on it, or the user
// says so, and nothing has to be written into the container: secrets and the owner
// of new caches are.
func seal(s launch.Spec, token bool, host *container.HostConfig) error {
	writes := token && s.HFTokenFile != "" || s.KeyFile != "" || len(s.Caches) > 0
	switch s.Container.ReadOnly {
	case "never":
		return nil
	case "always":
		if writes {
			return fmt.Errorf("engine.container.read_only is always, and a token, a key or a compile cache has to be written into the container: leave it out")
		}
	default:
		if writes || !s.ReadOnly {
			return nil
		}
	}
	host.ReadonlyRootfs = true
	if !slices.ContainsFunc(host.Mounts, func(m mount.Mount) bool { return path.Clean(m.Target) == "/tmp" }) {
		host.Tmpfs = map[string]string{"/tmp": scratch}
	}
	return nil
}

// maxPids is what a container may have of processes and threads. It is for what runs
// away: eight GPUs' workers, whose libraries start a pool of threads for each core in
// each process, stay below it. Linux has 1024 ids a CPU, and 32768 at least
// (PIDS_PER_CPU_DEFAULT in linux/threads.h); systemd raises them to 4194304.
const maxPids = 1 << 16

// pidsLimit is the limit that is set: no more than half of the host's.
func pidsLimit(asked int, pidMax string) int64 {
	if asked > 0 {
		return int64(asked)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(pidMax)); err == nil && n/2 < maxPids && n > 1 {
		return int64(n / 2)
	}
	return maxPids
}

// resources applies the engine.container keys and the GPU request.
func resources(s launch.Spec, host *container.HostConfig) error {
	c := s.Container
	host.CpusetCpus = c.Cpuset
	for _, m := range c.Mounts {
		parts := strings.SplitN(m, ":", 3)
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeBind, Source: parts[0], Target: parts[1], ReadOnly: len(parts) == 3 && parts[2] == "ro",
		})
	}
	for _, dev := range c.Devices {
		parts := strings.SplitN(dev, ":", 3)
		m := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
		if len(parts) > 1 {
			m.PathInContainer = parts[1]
		}
		if len(parts) > 2 {
			m.CgroupPermissions = parts[2]
		}
		host.Devices = append(host.Devices, m)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Ulimits)) {
		u, err := units.ParseUlimit(name + "=" + c.Ulimits[name])
		if err != nil {
			return fmt.Errorf("engine.container.ulimits: %w", err)
		}
		host.Ulimits = append(host.Ulimits, u)
	}
	var err error
	if host.ShmSize, err = bytesOf("shm_size", c.ShmSize); err != nil {
		return err
	}
	if host.Memory, err = bytesOf("memory", c.Memory); err != nil {
		return err
	}
	host.MemorySwap = host.Memory // no swap on top, so that the limit is one
	if len(s.GPUs) > 0 {
		host.DeviceRequests = []container.DeviceRequest{{DeviceIDs: s.GPUs, Capabilities: [][]string{{"gpu"}}}}
	}
	return nil
}

func bytesOf(key, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := units.RAMInBytes(s)
	if err != nil {
		return 0, fmt.Errorf("engine.container.%s: %w", key, err)
	}
	if n < 1 { // to the daemon 0 is no limit
		return 0, fmt.Errorf("engine.container.%s: %q is no number of bytes that can be counted", key, s)
	}
	return n, nil
}
