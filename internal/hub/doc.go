// Package hub finds models on this host and counts their parameters.
//
// [Find] resolves a name to files: a local directory, a .gguf file, or a
// Hugging Face id in the standard cache, whose revision it resolves to a
// commit. It never downloads.
//
// [Inspect] counts parameters, from the most exact source there is: the
// headers of safetensors files, the header of a GGUF file, else config.json by
// the closed form of its architecture. Embeddings (of tokens and of positions)
// and the output layer are told apart, because FLOPs are counted without them.
// So are, in a mixture of experts, those that work for a given token. A model that
// none of this fits has an error that says why, never a wrong number; [ByName]
// then reads the size in its name.
//
// [Model.Vocabulary] reads a tokenizer, for the tokens of which synthetic
// prompts are made: words that the tokenizer takes for one token each, alone and
// in any company, so that every engine is given the same tokens whether it takes
// ids or text. Whether they do is worked out, not guessed: the merges or scores
// of each candidate are gone through as the tokenizer would.
package hub
