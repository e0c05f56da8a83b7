// Package flops estimates the operations that a window's tokens cost.
//
// The figure is the PaLM formula, 2 × N × tokens, with N the parameters
// without input embeddings and output layer, over input and output tokens of
// the window; in a mixture of experts those that work for a token. What it leaves out stands beside it: the output layer, for every
// generated token, and attention, for every position over those before it.
// Their sum is what an engine really multiplies and adds, twice over, but for
// the last generated token of each answer, which is never fed back.
package flops
