package main

import (
	"strings"
	"testing"
)

// A container can neither write to its image's files nor use up the host's
// processes, and has the limits that the file gives it.
func TestContainersAreSealed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ keys, readOnly, memory, pids string }{
		"by default":      {"", "true", "0", ""},
		"with limits":     {", container: {memory: 512MiB, pids_limit: 200}", "true", "536870912", "200"},
		"a writable root": {", container: {read_only: never}", "false", "0", ""},
	} {
		h := newHost(t)
		config := h.config("model: reference/tiny\nengine: {image: " + image + ", args: {x-pace: 10}" + c.keys + "}\nworkload: {prompts: 500, max_output_tokens: 8}\n")
		run := h.start("run", "--quick", "-o", h.path("out"), config)
		run.reach("window")
		ids := containers(t, run.Process.Pid)
		if len(ids) != 1 {
			t.Fatalf("%s: containers %v", name, ids)
		}
		got := strings.Fields(dockerCLI(t, "inspect", "--format", "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}}", ids[0]))
		run.interrupt()
		run.finish().says(t, exitInterrupted, "interrupted")
		h.clean(run.Process.Pid)
		if len(got) != 6 || got[0] != c.readOnly || got[1] != c.memory || got[3] != "[ALL]" || got[4] != "[no-new-privileges]" || got[5] != "false" {
			t.Errorf("%s: %v", name, got)
		}
		if c.pids != "" && got[2] != c.pids || c.pids == "" && (got[2] == "0" || got[2] == "<nil>" || got[2] == "-1") {
			t.Errorf("%s: %s pids", name, got[2])
		}
	}
	h := newHost(t)
	for keys, says := range map[string]string{"read_only: sometimes": "read_only", "pids_limit: 3": "pids_limit", "pids_limit: -1": "pids_limit", "memory: lots": "memory"} {
		h.llem("run", "--quick", "-o", h.path("out"), h.config("model: reference/tiny\nengine: {image: "+image+", container: {"+keys+"}}\n")).refused(t, exitUsage, says)
	}
}
