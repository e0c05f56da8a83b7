package job

import (
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
)

// tokenFile is where a container finds the Hugging Face token.
const tokenFile = "/run/secrets/llem/hf_token"

// Host is what the engine needs to know to start, and to load its model.
func (j *Job) Host() engine.Host {
	h := engine.Host{Image: j.Image, GPUs: device.UUIDs(j.GPUs), Model: j.Model.Mount, LongestPrompt: j.Prompts.longest(), Kept: j.Keeping()}
	if j.Run.HFToken && j.online() {
		h.TokenFile = tokenFile
	}
	return h
}

// online says that the engine may ask the hub, and so needs the token: where its
// model is not mounted though it is the hub's, or where engine.env takes it off the
// offline mode that llem sets.
func (j *Job) online() bool {
	off, set := j.Experiment.Engine.Env["HF_HUB_OFFLINE"]
	return set && !truth[strings.ToLower(off)] || j.Model.Mount.Path == "" && !j.Engine.Traits().OwnNames && !j.Model.Fetch
}

// truth is what huggingface_hub takes for yes.
var truth = map[string]bool{"1": true, "on": true, "yes": true, "true": true}

// spec is the container to start, with the names of the run.
func (j *Job) spec() (launch.Spec, error) {
	if j.Running() {
		return launch.Spec{Engine: j.Engine.Name(), GPUs: device.UUIDs(j.GPUs)}, nil
	}
	s, err := j.Engine.Spec(j.Experiment, j.Host())
	if err != nil {
		return s, fmt.Errorf("engine %s: %w", j.Engine.Name(), err)
	}
	if c := j.Credentials; c.key != "" {
		if err := engine.GiveKey(j.Engine, j.Experiment, &s, c.key, c.From); err != nil {
			return s, err
		}
	}
	s.Run, s.Lock, s.Experiment, s.PID = j.Run.ID, j.Run.Lock, j.Experiment.ConfigHash(), j.Run.PID
	s.Name, s.ReadOnly = launch.ContainerName(j.Run.ID), j.Engine.Traits().ReadOnly
	return s, nil
}
