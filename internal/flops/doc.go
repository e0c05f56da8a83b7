// Package flops estimates the operations that a window's tokens cost.
//
// In: the parameters and layers of a model ([hub.Inspect]), and the window's token counts.
// Out: an [Estimate] by [Of], whose parts are nil where they are unknown.
//
//  1. The figure is the PaLM formula, 2 × N × tokens, over input and output tokens of the
//     window. N is the parameters without input embeddings and output layer; in a mixture
//     of experts, those that work for a token.
//  2. The output layer is given apart, for every generated token.
//  3. Attention is given apart, for every position over those before it, in the layers
//     that attend and within their windows.
//  4. Their sum is twice the multiply-adds of the engine, except for the last generated
//     token of each answer, which is never fed back.
//
// What a layer does with a state is in no figure; a note says so.
package flops
