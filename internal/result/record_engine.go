package result

import "strings"

// Engine is what ran.
type Engine struct {
	Name           string   `json:"name"`
	ToldBy         string   `json:"told_by"` // how the engine was told: label, entrypoint and command, …, engine.name; and the server's own word
	Version        *string  `json:"version"` // as the server says; null: it does not say
	Image          string   `json:"image"`
	ImageDigest    *string  `json:"image_digest"` // of the registry; null for an image that was built here
	ImageID        string   `json:"image_id"`
	Endpoint       *string  `json:"endpoint"` // of a server that was already running; null: a container was started
	Command        []string `json:"command"`  // argv of the container, secrets redacted
	ContainerID    string   `json:"container_id"`
	Route          string   `json:"route"`            // container_address | published_port | endpoint
	ContextLength  *int64   `json:"context_length"`   // tokens of a prompt and its answer that the server has room for; null: it does not say
	StartupSeconds *float64 `json:"startup_seconds"`  // from create to ready
	StartupEnergyJ *float64 `json:"startup_energy_j"` // in no total; u: u_startup_energy_j, k = 1
	// Standard uncertainty (k = 1), without the sensor's gain.
	UStartupEnergyJ *float64 `json:"u_startup_energy_j"`
	CompileCache    *string  `json:"compile_cache"` // cold | warm: whether an earlier container of the image had left what it compiled; null where none is kept
	// Counters of the server itself over the window; null where it has none.
	Counters *EngineCounters `json:"counters"`
	// ServedModel is what the server calls the model that was measured, by which requests
	// asked for it; null: the server was not reached.
	ServedModel *string `json:"served_model,omitempty"`
	// ServedBy says how it was found for model.id: id, root, name, served_model, only,
	// launch, unlisted.
	ServedBy *string `json:"served_by,omitempty"`
	// Loaded is what the server says that it was loaded from; null: it does not say.
	Loaded *string `json:"loaded_from,omitempty"`
	// Served are all models that the server lists.
	Served []string `json:"served,omitempty"`
	// AuthorizedBy is where the key came from that was sent; null: none was.
	AuthorizedBy *string `json:"authorized_by,omitempty"`
	// HeaderNames are the further headers that were sent.
	HeaderNames []string `json:"header_names,omitempty"`
	// Kept is of a server that was kept from an earlier run of the study; null where
	// it was started for this run.
	Kept *Kept `json:"kept"`
}

// Called is the engine's name and its version, where that is known.
func (e Engine) Called() string {
	if e.Version == nil {
		return e.Name
	}
	return strings.TrimSpace(e.Name + " " + *e.Version)
}

// EngineCounters is the server's own account of the window.
type EngineCounters struct {
	PromptTokens *int64 `json:"prompt_tokens"`
	OutputTokens *int64 `json:"output_tokens"`
	CachedTokens *int64 `json:"cached_tokens"` // of the prompts, found in the prefix cache
	MultiplyAdds *int64 `json:"multiply_adds"`
	Preemptions  *int64 `json:"preemptions"`

	QueueSeconds   *float64 `json:"queue_seconds"`   // summed over requests
	PrefillSeconds *float64 `json:"prefill_seconds"` // summed over requests
	DecodeSeconds  *float64 `json:"decode_seconds"`  // summed over requests

	AcceptanceLength *float64 `json:"acceptance_length"` // tokens a step of speculative decoding; null without
}
