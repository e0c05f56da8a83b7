// Package flops estimates the operations that a window's tokens cost.
//
// The figure is the PaLM formula, 2 × N × tokens, with N the parameters
// without input embeddings and output layer, over input and output tokens of
// the window; in a mixture of experts those that work for a token. Two figures
// beside it are what it leaves out: the output layer, for every generated token, and
// attention, for every position over those before it, in the layers that attend and
// within their windows. What a layer does with a state is in no figure; a note says so.
// Their sum is what an engine really multiplies and adds, twice over, but for
// the last generated token of each answer, which is never fed back.
package flops
