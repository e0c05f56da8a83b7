package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mixture is what a configuration tells of experts.
type mixture struct {
	Experts       int64   // routed ones of a layer
	ExpertList    []int64 // of each layer, where they differ
	PerToken      int64   // of them that work for a token
	PerTokenList  []int64
	ExpertFFN     int64
	SharedFFN     int64
	SharedExperts int64
	FirstDense    int64
	Every         int64
	SparseStep    int64
	DenseOnly     []int64
	Interleave    int64
	DenseFFN      int64 // of llama4
	doubts        []string
}

// Keys of routed experts and of those that work for a token.
var (
	expertKeys   = []string{"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_routed_experts", "num_moe_experts", "n_experts", "num_expert", "expert_count"}
	perTokenKeys = []string{
		"num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts", "moe_top_k", "moe_topk", "moe_k", "num_selected_experts",
		"n_activated_experts", "num_activated_experts", "num_active_experts", "router_top_k", "moe_router_topk", "n_experts_per_tok", "num_experts_per_topk",
		"experts_top_k", "expert_used_count",
	}
	// Keys that are not known and read like them, and what they must not hold.
	perTokenLike = regexp.MustCompile(`(?:expert|moe|router).*(?:top_?k|per_tok|selected|activated|active|used)|(?:top_?k|selected|activated|active|used).*(?:expert|moe)`)
	notExperts   = regexp.MustCompile(`top|per_|share|group|act|select|used|size|dim|freq|zero|bias|scal|null|limit|capacity|use_|has_|enable|interval|offset|period|drop|prob|norm|gate|score|jitter|coef|loss|layer|hash|pad|parallel|start|end`)
	// Experts that do nothing, and routing that chooses how many work.
	unevenKey   = regexp.MustCompile(`(?:zero|null|copy|const|constant|identity|skip)_?experts?|(?:top_p|dynamic|adaptive|threshold)\w*(?:expert|moe|rout)|(?:expert|moe|rout)\w*(?:top_p|dynamic|adaptive|threshold)`)
	notPerToken = regexp.MustCompile(`group|scal|norm|prob|method|func|layer|bias|size|dim`)
)

func newMixture(r *reader) mixture {
	m := mixture{
		ExpertFFN: r.value("moe_intermediate_size", "expert_feed_forward_length", "moe_ffn_hidden_size", "expert_ffn_hidden_size", "expert_hidden_dim", "expert_dim"),
		SharedFFN: r.value("shared_expert_intermediate_size"), SharedExperts: r.value("n_shared_experts"),
		FirstDense: r.value("first_k_dense_replace"), SparseStep: r.value("decoder_sparse_step"), Interleave: r.value("interleave_moe_layer_step"),
		DenseFFN: r.value("intermediate_size_mlp"), DenseOnly: r.list("mlp_only_layers"),
	}
	if n, ok := count(r.object["moe_layer_freq"]); ok { // a list is another model's
		m.Every = n
	}
	places := []*reader{r, {object: r.object.object("ffn_config")}, {object: r.object.object("moe_config")}, {object: r.object.object("moe")}}
	var used []int64
	for _, at := range places {
		m.Experts = max(m.Experts, largest(at, expertKeys))
		if m.ExpertList == nil {
			m.ExpertList = uneven(at.list(expertKeys...))
		}
		if m.PerTokenList == nil {
			m.PerTokenList = uneven(at.list(perTokenKeys...))
		}
		for _, key := range perTokenKeys {
			if n := at.value(key); n > 0 {
				used = append(used, n)
			}
		}
		if n := at.value("top_k"); at != r && n > 0 { // at the top it is of sampling
			used = append(used, n)
		}
	}
	if len(used) > 0 {
		m.PerToken = slices.Max(used)
		if slices.Min(used) != m.PerToken {
			m.doubts = append(m.doubts, "the configuration gives different numbers of experts for a token")
		}
	}
	m.guess(r)
	for _, key := range sortedKeys(r.object) {
		if unevenKey.MatchString(key) && r.object.has(key) {
			m.doubts = append(m.doubts, fmt.Sprintf("by the configuration (%.60q) not every token has the same number of experts at work", key))
			break
		}
	}
	return m
}

// guess takes what known keys do not give from keys that read like them.
func (m *mixture) guess(r *reader) {
	experts, used := m.Experts == 0 && m.ExpertList == nil, m.PerToken == 0 && m.PerTokenList == nil
	for key, v := range r.object {
		n, ok := count(v)
		if !ok || n < 1 {
			continue
		}
		if experts && strings.Contains(key, "expert") && !notExperts.MatchString(key) {
			m.Experts = max(m.Experts, n)
		}
		if used && perTokenLike.MatchString(key) && !notPerToken.MatchString(key) {
			m.PerToken = max(m.PerToken, n)
		}
	}
}

func largest(r *reader, keys []string) (out int64) {
	for _, key := range keys {
		out = max(out, r.value(key))
	}
	return out
}

// uneven is a list whose values differ.
func uneven(list []int64) []int64 {
	if len(list) < 2 || slices.Min(list) == slices.Max(list) {
		return nil
	}
	return list
}

// experts are the routed ones of a layer; 0 of a dense model.
func (m mixture) experts() int64 {
	n := m.Experts
	if len(m.ExpertList) > 0 {
		n = slices.Max(m.ExpertList)
	}
	if n > 1 {
		return n
	}
	return 0
}

// perToken are the experts that work for a token in layer i.
func (m mixture) perToken(i int64) int64 {
	if i < int64(len(m.PerTokenList)) {
		return m.PerTokenList[i]
	}
	return m.PerToken
}

// sparse is whether layer i has experts.
func (m mixture) sparse(i int64) bool {
	return m.experts() > 0 && !slices.Contains(m.DenseOnly, i) && i >= m.FirstDense && i%max(1, m.Every) == 0 &&
		(i+1)%max(1, m.SparseStep) == 0 && (i+1)%max(1, m.Interleave) == 0
}
