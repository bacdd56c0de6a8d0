//! What to do about an error. Libraries say what is wrong in the words of their
//! subject; only here are flags and verbs known.

use std::io::ErrorKind;

use graft_host::answer::AnswerError;
use graft_host::atomic::WriteError;
use graft_host::backbone::{BackboneError, OpenEntryError};
use graft_host::bench::{BenchError, Step};
use graft_host::bundle_file::{BundleError, BundleFileError};
use graft_host::cache::CacheError;
use graft_host::catalogue::caffe::CaffeAddError;
use graft_host::catalogue::fetch::{FetchError, HttpError, PipError};
use graft_host::catalogue::{AddError, CatalogueError, RemoveError};
use graft_host::cuts::CutsError;
use graft_host::encoder::EncoderError;
use graft_host::engine::{EngineError, NetworkError};
use graft_host::examples::DatasetError;
use graft_host::features::FeaturesError;
use graft_host::finetune::{
    CheckpointError, FineTuneError, Other, PartsError, PlaceError, RecipeError,
};
use graft_host::inspect::InspectError;
use graft_host::next_word::NextWordError;
use graft_host::rank::{LatencyFileError, RankError, SourceError};
use graft_host::report::ReportError;
use graft_host::stated::{FileError, Missing, StatedError};
use graft_host::texts::TableError;
use graft_host::train::RunError;
use graft_host::vectors::VectorsError;
use graft_words::{QueryError, ReadError};

use crate::args::Interrupted;

/// The cure, if there is one.
pub fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        None.or_else(|| cause.downcast_ref().map(engine))
            .or_else(|| cause.downcast_ref().and_then(network))
            .or_else(|| cause.downcast_ref().and_then(stated))
            .or_else(|| cause.downcast_ref().and_then(catalogue))
            .or_else(|| cause.downcast_ref().and_then(features))
            .or_else(|| cause.downcast_ref::<CacheError>().map(|_| CACHE.to_owned()))
            .or_else(|| cause.downcast_ref().and_then(backbone))
            .or_else(|| cause.downcast_ref().and_then(run))
            .or_else(|| cause.downcast_ref().and_then(next_word))
            .or_else(|| cause.downcast_ref().and_then(dataset))
            .or_else(|| cause.downcast_ref().and_then(cuts))
            .or_else(|| cause.downcast_ref().and_then(rank))
            .or_else(|| cause.downcast_ref().and_then(report))
            .or_else(|| cause.downcast_ref().map(latency_file))
            .or_else(|| cause.downcast_ref().and_then(bundle))
            .or_else(|| cause.downcast_ref().and_then(bench))
            .or_else(|| cause.downcast_ref().and_then(inspect))
            .or_else(|| cause.downcast_ref().and_then(file))
            .or_else(|| cause.downcast_ref().and_then(caffe))
            .or_else(|| cause.downcast_ref().and_then(add))
            .or_else(|| cause.downcast_ref().and_then(fetch))
            .or_else(|| cause.downcast_ref().and_then(remove))
            .or_else(|| cause.downcast_ref().and_then(word_vectors))
            .or_else(|| cause.downcast_ref().and_then(vectors))
            .or_else(|| cause.downcast_ref().and_then(encoder))
            .or_else(|| cause.downcast_ref().and_then(question))
            .or_else(|| cause.downcast_ref().and_then(write))
    })
}

/// Whether the error is a Ctrl-C, and not one of the work.
pub fn is_cancelled(error: &anyhow::Error) -> bool {
    if error.downcast_ref::<Interrupted>().is_some() {
        return true;
    }
    let run = matches!(error.downcast_ref(), Some(RunError::Cancelled));
    let answer = matches!(error.downcast_ref(), Some(AnswerError::Cancelled));
    let bench = matches!(error.downcast_ref(), Some(BenchError::Cancelled));
    let cuts = matches!(error.downcast_ref(), Some(CutsError::Cancelled));
    let rank = matches!(error.downcast_ref(), Some(RankError::Cancelled));
    let fetch = matches!(error.downcast_ref(), Some(FetchError::Http(HttpError::Cancelled)));
    let report = matches!(error.downcast_ref(), Some(ReportError::Cancelled));
    let vectors = matches!(error.downcast_ref(), Some(VectorsError::Cancelled));
    let next_word = matches!(
        error.downcast_ref(),
        Some(NextWordError::Cancelled | NextWordError::Answer(AnswerError::Cancelled))
    );
    run || answer || bench || cuts || rank || report || vectors || fetch || next_word
}

const CACHE: &str = "clear it with `graft cache clear`, or do without it with --no-cache";

const OTHER_VECTORS: &str = "`graft words FILE info` shows what words it begins with: texts of another language or alphabet need other vectors";

const F32_TABLE: &str = "write the table with --precision f32";

const COPY: &str = "it may be damaged: get another copy, or make it again";

fn engine(error: &EngineError) -> String {
    match error {
        EngineError::Start { .. } => "try another build of ONNX Runtime".to_owned(),
        _ => "name ONNX Runtime's library with --ort-lib or ORT_DYLIB_PATH (`make setup` fetches one), and see `graft doctor`".to_owned(),
    }
}

fn network(error: &NetworkError) -> Option<String> {
    match error {
        NetworkError::ProviderMissing { .. } | NetworkError::Provider { .. } => Some(
            "use a build of ONNX Runtime that has it (the package onnxruntime-gpu for cuda and tensorrt) with what it needs, or --provider cpu; see `graft doctor`"
                .to_owned(),
        ),
        _ => None,
    }
}

fn stated(error: &StatedError) -> Option<String> {
    let StatedError::Missing { missing, .. } = error else { return None };
    let flags: Vec<&str> = missing
        .iter()
        .map(|m| match m {
            Missing::Size => "--size 224x224",
            Missing::Layout => "--layout nchw",
            Missing::Colour => "--colour rgb",
            Missing::Scale => "--scale 255",
            Missing::Mean => "--mean 0.485,0.456,0.406",
            Missing::Std => "--std 0.229,0.224,0.225",
            Missing::Tensor => "--input NAME",
        })
        .collect();
    Some(format!(
        "state it as the network was trained, for instance {} (common ImageNet values, not a guess about yours)",
        flags.join(" ")
    ))
}

fn catalogue(error: &CatalogueError) -> Option<String> {
    match error {
        CatalogueError::NotFetched { name } => Some(format!("run `graft models fetch {name}`")),
        CatalogueError::Spec { .. } => Some(
            "correct that line (docs/format.md has every key), or remove the model with `graft models remove NAME`"
                .to_owned(),
        ),
        CatalogueError::Unknown { .. } => Some(
            "see `graft models`; an .onnx file and a folder with a model.toml (with a / in its path) work too"
                .to_owned(),
        ),
        _ => None,
    }
}

fn features(error: &FeaturesError) -> Option<String> {
    match error {
        FeaturesError::Batch { exported, .. } => Some(format!("use --batch {exported}")),
        FeaturesError::Cache(_) => Some(CACHE.to_owned()),
        FeaturesError::Network(error) => network(error),
        FeaturesError::Spill(_) => {
            Some("make room there, or name a folder on another disk with XDG_CACHE_HOME".to_owned())
        }
        _ => None,
    }
}

fn backbone(error: &BackboneError) -> Option<String> {
    match error {
        BackboneError::Graph { .. } => Some(COPY.to_owned()),
        BackboneError::Size { .. } => {
            Some("cut below those layers with --at TENSOR, or leave --image-size out".to_owned())
        }
        BackboneError::Cut { .. } => {
            Some("name another cut with --at TENSOR; `graft inspect --cuts` lists them".to_owned())
        }
        _ => None,
    }
}

fn encoder(error: &EncoderError) -> Option<String> {
    match error {
        EncoderError::Missing { .. } | EncoderError::NoNetwork { .. } => Some(
            "keep the files together as Hugging Face's libraries do: config.json, model.safetensors, tokenizer.json; docs/backbones.md says how to save them"
                .to_owned(),
        ),
        EncoderError::Positions { positions, .. } => Some(format!("use --max-tokens {positions}")),
        EncoderError::Network { .. } => Some(
            "docs/backbones.md says which encoders are read, and how to export others".to_owned(),
        ),
        _ => None,
    }
}

fn cuts(error: &CutsError) -> Option<String> {
    match error {
        CutsError::Limits { .. } => Some(
            "allow more with --max-latency-ms or --max-bytes, or take a smaller backbone"
                .to_owned(),
        ),
        CutsError::Nowhere { .. } => Some("name a tensor with --at TENSOR".to_owned()),
        CutsError::Device { .. } => Some("take another backbone".to_owned()),
        _ => None,
    }
}

fn run(error: &RunError) -> Option<String> {
    match error {
        RunError::Device { .. } => {
            Some("cut below it with --at TENSOR, or take another backbone".to_owned())
        }
        RunError::Strict { .. } => Some("without --strict they are skipped and listed".to_owned()),
        RunError::FineTune(error) => fine_tune(error),
        RunError::NothingKnown { .. } => Some(OTHER_VECTORS.to_owned()),
        RunError::Table(TableError::Value { .. }) => Some(F32_TABLE.to_owned()),
        _ => None,
    }
}

fn next_word(error: &NextWordError) -> Option<String> {
    let cure = match error {
        NextWordError::TooShort { .. } | NextWordError::NothingAsked { .. } => {
            "add texts, or hold fewer of them out with --test-share"
        }
        NextWordError::NothingKnown { .. } => {
            "`graft words FILE info` shows what words it begins with: texts of another language or alphabet need other vectors"
        }
        NextWordError::TooFewWords { .. } => {
            "state fewer with --words, or leave it out: then all are taken"
        }
        NextWordError::NotNextWord { .. } => "`graft train --next-word` makes one that does",
        NextWordError::Strict { .. } => "without --strict they are skipped and listed",
        NextWordError::Diverged { .. } => {
            "are the vectors right? `graft words FILE nearest WORD` shows"
        }
        NextWordError::Table(TableError::Value { .. }) => "write the table with --precision f32",
        NextWordError::Network(error) => return network(error),
        NextWordError::Vectors(error) => return vectors(error),
        _ => return None,
    };
    Some(cure.to_owned())
}

fn dataset(error: &DatasetError) -> Option<String> {
    match error {
        DatasetError::MissingColumn { subject: "path", found, .. }
            if found.split(", ").any(|name| name == "text") =>
        {
            Some("a task about texts takes word vectors for --model: see `graft models`".to_owned())
        }
        _ => None,
    }
}

fn report(error: &ReportError) -> Option<String> {
    match error {
        ReportError::TooFew { .. } => {
            Some("add some, or hold fewer of them out with --test-share".to_owned())
        }
        ReportError::Strict { .. } => {
            Some("mend or remove them; without --strict they are skipped and listed".to_owned())
        }
        ReportError::FineTune(error) => fine_tune(error),
        ReportError::Vectors(error) => vectors(error),
        _ => None,
    }
}

fn fine_tune(error: &FineTuneError) -> Option<String> {
    let cure = match error {
        FineTuneError::Place(PlaceError::Cut { .. } | PlaceError::Shape { .. })
        | FineTuneError::Graph { .. } => {
            "tune from higher up with --fine-tune last:N; `graft inspect --cuts` lists tensors"
        }
        FineTuneError::Place(PlaceError::TooFewBlocks { .. }) => {
            "--fine-tune all takes all of them"
        }
        FineTuneError::Place(PlaceError::OnlyVectors { .. }) => "use --fine-tune vectors",
        FineTuneError::Place(PlaceError::NoVectors) => {
            "tune its layers with --fine-tune last:N, or name word vectors with --model"
        }
        FineTuneError::Recipe(RecipeError::AugmentedTexts) => "leave --augment out",
        FineTuneError::Pooling => "pool with --pooling mean or --pooling weighted",
        FineTuneError::Batch { exported, .. } => {
            return Some(format!("use --batch-size {exported}"));
        }
        FineTuneError::Memory { .. } => {
            "take a smaller --batch-size, or tune from higher up with --fine-tune last:N"
        }
        FineTuneError::Diverged { .. } => {
            "take a lower --rate and --head-rate, or a clip_norm below the recipe's (--recipe FILE), and begin anew with --checkpoints elsewhere"
        }
        FineTuneError::Parts(PartsError::OneExample { .. }) => {
            "add examples of that class, or leave it out"
        }
        FineTuneError::Checkpoint(error) => return checkpoint(error),
        FineTuneError::Network(error) => return network(error),
        _ => return None,
    };
    Some(cure.to_owned())
}

fn checkpoint(error: &CheckpointError) -> Option<String> {
    let cure = match error {
        CheckpointError::Nothing { .. } => "begin without --resume",
        CheckpointError::Unfinished { .. } => {
            "go on with --resume, or begin anew: remove that folder or name another with --checkpoints"
        }
        CheckpointError::Damaged { .. } => "remove that folder and begin anew",
        CheckpointError::Other { other: Other::Recipe, .. } => {
            "resume with --recipe and the recipe.toml in that folder, or name another folder with --checkpoints"
        }
        CheckpointError::Other { .. } => {
            "resume with the data and the model that it was begun with, or name another folder with --checkpoints"
        }
        CheckpointError::Write(error) => return write(error),
        _ => return None,
    };
    Some(cure.to_owned())
}

fn rank(error: &RankError) -> Option<String> {
    match error {
        RankError::NoSource => Some("see `graft models`".to_owned()),
        // The cure of the first one, as if it had been asked for alone.
        RankError::NoneUsable { unusable } => unusable.iter().find_map(|u| source(&u.error)),
        RankError::NoPhotoOf { .. } => Some("look at more with --examples".to_owned()),
        RankError::Strict { .. } => Some("without --strict they are skipped and listed".to_owned()),
        RankError::Features(error) => features(error),
        _ => None,
    }
}

/// Of a source that was left out of a ranking.
pub fn source(error: &SourceError) -> Option<String> {
    match error {
        SourceError::Open(OpenEntryError::Catalogue(error)) => catalogue(error),
        SourceError::Open(OpenEntryError::Backbone(error)) | SourceError::Cut(error) => match error
        {
            BackboneError::Input { source, .. } => stated(source),
            other => backbone(other),
        },
        SourceError::Features(error) => features(error),
        SourceError::Vectors(VectorsError::Words { source, .. }) => word_vectors(source),
        SourceError::Vectors(error) => vectors(error),
        SourceError::Encoder(error) => encoder(error),
        SourceError::Table(TableError::Value { .. }) => Some(F32_TABLE.to_owned()),
        SourceError::NothingKnown { .. } => Some(OTHER_VECTORS.to_owned()),
        SourceError::Device { .. }
        | SourceError::Scores(_)
        | SourceError::Table(_)
        | SourceError::Answer(_) => None,
    }
}

fn latency_file(_: &LatencyFileError) -> String {
    "name files that `graft bench BUNDLE --device HOST --json-file FILE` wrote, all of one board"
        .to_owned()
}

fn bundle(error: &BundleFileError) -> Option<String> {
    match error {
        BundleFileError::Bundle { source, .. } => Some(match source {
            BundleError::Major { .. } | BundleError::Minor { .. } => {
                "a newer graft may read it".to_owned()
            }
            _ => COPY.to_owned(),
        }),
        _ => None,
    }
}

fn bench(error: &BenchError) -> Option<String> {
    match error {
        BenchError::Graftd { .. } => Some(
            "`make device` builds it into target/device/ of a checkout; or name one with --graftd"
                .to_owned(),
        ),
        BenchError::NoBuild { .. } => {
            Some("name a graftd that runs on it with --graftd".to_owned())
        }
        BenchError::Board { step: Step::Connect, .. } => Some(
            "check that `ssh HOST true` works without a password, by a key that your agent holds"
                .to_owned(),
        ),
        _ => None,
    }
}

fn inspect(error: &InspectError) -> Option<String> {
    match error {
        InspectError::Graph { .. } => Some(COPY.to_owned()),
        InspectError::Bundle(_) => None,
    }
}

fn file(error: &FileError) -> Option<String> {
    match error {
        FileError::Graph { .. } => Some(COPY.to_owned()),
        _ => None,
    }
}

fn add(error: &AddError) -> Option<String> {
    match error {
        AddError::Graph { .. } => Some(COPY.to_owned()),
        AddError::Exists { .. } => Some("give it another with --name".to_owned()),
        _ => None,
    }
}

fn caffe(error: &CaffeAddError) -> Option<String> {
    match error {
        CaffeAddError::Caffe { .. } => Some(
            "docs/caffe.md lists what can be read; the two files must be of one network".to_owned(),
        ),
        CaffeAddError::MeanMissing { .. } => Some(
            "name it with --mean-file FILE.binaryproto, or state the mean of each channel with --mean B,G,R"
                .to_owned(),
        ),
        CaffeAddError::MeanTwice => Some("leave out --mean or --mean-file".to_owned()),
        CaffeAddError::Stated(StatedError::Missing { missing, .. })
            if missing.contains(&Missing::Mean) =>
        {
            Some(
                "state the mean that was subtracted in training, with --mean B,G,R (104,117,123 is common, not a guess about yours) or --mean-file FILE.binaryproto; without one it was --mean 0"
                    .to_owned(),
            )
        }
        _ => None,
    }
}

fn fetch(error: &FetchError) -> Option<String> {
    let http = match error {
        FetchError::ByHand { name, .. } => {
            return Some(format!("then run `graft models fetch {name} --from FILE`"));
        }
        FetchError::Http(error) | FetchError::Pip(PipError::Http(error)) => error,
        FetchError::Pip(PipError::Failed { .. } | PipError::Index { .. }) => {
            return Some(FROM.to_owned());
        }
        _ => return None,
    };
    match http {
        HttpError::Cut { .. } => {
            Some("run it again: it goes on where it was, if the server can".to_owned())
        }
        HttpError::Unreachable { .. } => Some(format!(
            "HTTPS_PROXY names a proxy, SSL_CERT_FILE the authorities to trust; {FROM}"
        )),
        HttpError::Status { .. } => Some(FROM.to_owned()),
        HttpError::Certificates { .. } | HttpError::NoCertificates { .. } => {
            Some("name a PEM file of authorities with SSL_CERT_FILE".to_owned())
        }
        HttpError::Proxy { .. } => Some("HTTPS_PROXY or ALL_PROXY names it".to_owned()),
        HttpError::Busy { .. } => Some("wait for it".to_owned()),
        _ => None,
    }
}

const FROM: &str =
    "a file that was got elsewhere is taken with --from FILE, if it is the right one";

fn vectors(error: &VectorsError) -> Option<String> {
    match error {
        VectorsError::Catalogue(error) => catalogue(error),
        VectorsError::Network { .. } => Some("see `graft models`, which lists words".to_owned()),
        _ => None,
    }
}

fn word_vectors(error: &ReadError) -> Option<String> {
    let cure = match error {
        ReadError::NotUtf8 { .. } => "leave such words out with --skip-not-utf8",
        ReadError::NoHeader => "leave --format out: the file shows how it is written",
        ReadError::FewerWords { .. }
        | ReadError::MoreWords { .. }
        | ReadError::Truncated { .. }
        | ReadError::Gzip { .. } => COPY,
        ReadError::TooFew { .. }
        | ReadError::TooMany { .. }
        | ReadError::NotANumber { .. }
        | ReadError::NoWord { .. } => {
            "if it is word vectors, say how it is written with --format; docs/words.md has what is read"
        }
        _ => return None,
    };
    Some(cure.to_owned())
}

fn question(error: &QueryError) -> Option<String> {
    match error {
        QueryError::UnknownWord { .. } => Some(
            "words are looked up as they are written there; many files have lower-case words alone"
                .to_owned(),
        ),
        _ => None,
    }
}

fn remove(error: &RemoveError) -> Option<String> {
    match error {
        RemoveError::Absent { .. } => Some("see `graft models`".to_owned()),
        _ => None,
    }
}

fn write(error: &WriteError) -> Option<String> {
    let cure = match error.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space there, or write it to another disk; what was there before is unchanged"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that can be written"
        }
        ErrorKind::IsADirectory => "name a file, not a folder",
        ErrorKind::NotFound => "make the folder first, or choose another",
        _ => return None,
    };
    Some(cure.to_owned())
}
