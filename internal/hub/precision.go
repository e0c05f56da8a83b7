package hub

import "strings"

// Precision is the name of a data type in the one vocabulary of records, in lower
// case: f32, f16, bf16, f8_e4m3, q4_k_m. PyTorch's names (torch.bfloat16) and
// those of GGUF files (MOSTLY_Q4_K_M, the type of most tensors) are brought to it,
// and others are only lower-cased. A type that the file's reader does not know is
// empty.
func Precision(name string) string {
	name = strings.TrimPrefix(strings.ToLower(name), "torch.")
	for _, most := range []string{"mostly_", "all_"} {
		name = strings.TrimPrefix(name, most)
	}
	switch {
	case name == "unknown" || strings.HasPrefix(name, "gguffiletype("):
		return ""
	case name == "bfloat16":
		return "bf16"
	case name == "float16" || name == "half":
		return "f16"
	case name == "float32" || name == "float":
		return "f32"
	}
	return name
}
