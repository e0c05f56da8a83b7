"""Makes the tokenizers of this folder, and what the library says of them.

    pip install tokenizers==0.23.3 gguf==0.19.0 sentencepiece==0.2.3 protobuf && python make.py

Each kind is trained on the project's own pages, so that the files are small and
our own. NAME/truth.json lists the ids of all tokens that are one space and a
word, and that the library itself makes of that text alone and within a prompt.
"""
import json, pathlib, re
import gguf, sentencepiece
from sentencepiece import sentencepiece_model_pb2 as sp
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, decoders, trainers, processors, Regex

here = pathlib.Path(__file__).parent
root = next(p for p in here.resolve().parents if (p / "go.mod").exists())
pages = [str(root / "README.md")] + sorted(str(p) for p in (root / "docs").glob("*.md"))
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
special = ["<s>", "</s>"]

def template(tok, kind=None):
    t = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", tok.token_to_id("<s>"))])
    tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), t]) if kind else t

def gpt2():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train(pages, trainers.BpeTrainer(vocab_size=800, special_tokens=special[1:], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tok, {"eos_token": "</s>", "add_bos_token": False}

def llama3():
    tok = Tokenizer(models.BPE(ignore_merges=True))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train(pages, trainers.BpeTrainer(vocab_size=800, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    template(tok, "llama3")
    return tok, {"eos_token": {"content": "</s>"}}

def llama2():
    # Trained in words, then set up as Llama 2 is: the whole prompt is one piece.
    tok = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tok.train(pages, trainers.BpeTrainer(vocab_size=800, special_tokens=["<unk>"] + special))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.pre_tokenizer = None
    tok.decoder = decoders.Metaspace()
    template(tok)
    return tok, {"eos_token": "</s>", "add_bos_token": True}

def unigram():
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Lowercase()
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    tok.decoder = decoders.Metaspace()
    tok.train(pages, trainers.UnigramTrainer(vocab_size=700, special_tokens=["<unk>", "</s>"], unk_token="<unk>"))
    tok.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", tok.token_to_id("</s>"))])
    return tok, {"eos_token": "</s>"}

def truth(tok, space, lead):
    enc = lambda s: tok.encode(s if lead else s[1:], add_special_tokens=False).ids
    ids = []
    for text, i in sorted(tok.get_vocab().items(), key=lambda x: x[1]):
        word = text[len(space):]
        if text.startswith(space) and re.fullmatch("[A-Za-z][a-z]+", word):
            if enc(" " + word) == [i] and all(enc(f" {a} {word} {b}".replace("  ", " ")).count(i) >= 1 for a in ("the", "of") for b in ("the", "and")):
                ids.append(i)
    return ids

def write_gguf(path, tok, kind):
    """The same tokenizer as llama.cpp has it; tokens of a BPE training stand in the order of their merges."""
    tokens = [text for text, _ in sorted(tok.get_vocab().items(), key=lambda x: x[1])]
    control = gguf.TokenType.CONTROL
    w = gguf.GGUFWriter(path, "llama")
    w.add_tokenizer_model(kind)
    w.add_token_list(tokens)
    w.add_token_types([control if t in special + ["<unk>"] else gguf.TokenType.NORMAL for t in tokens])
    if kind == "gpt2":
        w.add_tokenizer_pre("gpt-2")
        w.add_token_merges([" ".join(m) for m in json.loads(tok.to_str())["model"]["merges"]])
    else:
        w.add_token_scores([float(-i) for i in range(len(tokens))])
        w.add_bos_token_id(tokens.index("<s>"))
    w.add_eos_token_id(tokens.index("</s>"))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()

def sentencepiece_truth(tok):
    """What SentencePiece itself, which llama.cpp follows, says of the words: it joins by score, whatever the merges were."""
    m = sp.ModelProto()
    m.trainer_spec.model_type = sp.TrainerSpec.BPE
    for text, i in sorted(tok.get_vocab().items(), key=lambda x: x[1]):
        kind = sp.ModelProto.SentencePiece.UNKNOWN if text == "<unk>" else sp.ModelProto.SentencePiece.CONTROL if text in special else sp.ModelProto.SentencePiece.NORMAL
        m.pieces.add(piece=text, score=float(-i), type=kind)
    p = sentencepiece.SentencePieceProcessor(model_proto=m.SerializeToString())
    return [i for text, i in sorted(tok.get_vocab().items(), key=lambda x: x[1]) if re.fullmatch("▁[A-Za-z][a-z]+", text) and p.encode(text[1:]) == [i]]

for name, make, space, lead in (("gpt2", gpt2, "Ġ", True), ("llama3", llama3, "Ġ", True), ("llama2", llama2, "▁", False), ("unigram", unigram, "▁", False)):
    tok, cfg = make()
    d = here / name
    d.mkdir(exist_ok=True)
    (d / "tokenizer.json").write_text(json.dumps(json.loads(tok.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
    (d / "tokenizer_config.json").write_text(json.dumps(cfg) + "\n")
    (d / "truth.json").write_text(json.dumps(truth(tok, space, lead), separators=(",", ":")) + "\n")
    if kind := {"gpt2": "gpt2", "llama2": "llama"}.get(name):
        write_gguf(d / "vocab.gguf", tok, kind)
    if name == "llama2":
        (d / "truth_gguf.json").write_text(json.dumps(sentencepiece_truth(tok), separators=(",", ":")) + "\n")
