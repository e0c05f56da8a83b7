package result

// Environment is the host.
type Environment struct {
	GPUs         []GPU     `json:"gpus"`
	Host         Host      `json:"host"`
	Docker       Docker    `json:"docker"`
	GPUProcesses []Process `json:"gpu_processes"` // others' at preflight
	// GPUSettings were set for the run, by gpu_settings; GPUs has them as read back.
	GPUSettings []GPUSetting `json:"gpu_settings"`
}

// GPU is one GPU that the container was given.
type GPU struct {
	Index              int      `json:"index"`
	UUID               string   `json:"uuid"`
	Name               string   `json:"name"`
	MemoryMB           float64  `json:"memory_mb"`
	Driver             string   `json:"driver"`
	CUDA               string   `json:"cuda"`
	VBIOS              string   `json:"vbios"`
	ComputeCapability  string   `json:"compute_capability"`
	PowerLimitW        *float64 `json:"power_limit_w"` // that the GPU keeps to
	PowerLimitDefaultW *float64 `json:"power_limit_default_w"`
	PowerLimitMinW     *float64 `json:"power_limit_min_w"` // that can be set
	PowerLimitMaxW     *float64 `json:"power_limit_max_w"`
	SMClockMHz         *int     `json:"sm_clock_mhz"`
	SMClockMaxMHz      *int     `json:"sm_clock_max_mhz"`
	MemClockMHz        *int     `json:"mem_clock_mhz"`
	Persistence        *bool    `json:"persistence_mode"`
	MIG                *bool    `json:"mig"`
	PCIBusID           string   `json:"pci_bus_id"`
	PCIeGeneration     *int     `json:"pcie_generation"`
	PCIeWidth          *int     `json:"pcie_width"`
	CounterRefreshMS   *float64 `json:"counter_refresh_ms"` // how often the energy counter moves, measured in preflight
	CounterJitterMS    *float64 `json:"counter_jitter_ms"`  // standard deviation of its moves about an even grid, less what polling explains
}

// GPUSetting is what was set on one GPU; null was left as it was.
type GPUSetting struct {
	Index             int      `json:"index"`
	UUID              string   `json:"uuid"`
	PowerLimitW       *float64 `json:"power_limit_w"`
	PowerLimitBeforeW *float64 `json:"power_limit_before_w"`
	SMClockMHz        *int     `json:"sm_clock_mhz"`
	Restored          bool     `json:"restored"` // after the run
}

// Host is the machine.
type Host struct {
	Hostname string  `json:"hostname"`
	CPU      string  `json:"cpu"`
	CPUs     int     `json:"cpus"`
	MemoryMB float64 `json:"memory_mb"`
	Kernel   string  `json:"kernel"`
	OS       string  `json:"os"`
	Governor string  `json:"governor"` // of CPU 0
}

// Docker is the daemon.
type Docker struct {
	Version    string   `json:"version"`
	APIVersion string   `json:"api_version"`
	Runtimes   []string `json:"runtimes"`
	Elsewhere  *string  `json:"elsewhere"` // by what the daemon is known to be on another machine; null: it is on this one
}

// Process is somebody's process on a GPU.
type Process struct {
	PID      int     `json:"pid"`
	Name     string  `json:"name"`
	GPU      string  `json:"gpu"` // UUID
	MemoryMB float64 `json:"memory_mb"`
}
