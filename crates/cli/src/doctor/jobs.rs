//! The doctor's cases as files, for another WebGPU implementation to run.
//!
//! `jobs.json` lists the jobs. Beside it, `N.in` holds the buffers of both runs of job N as little-endian words, one after
//! the other; who runs the job leaves `N.out`, the same buffers afterwards.

use crate::{CliError, output};
use langevin::Kernel;
use langevin::verify::{Comparison, Job, JobBuffer, Tensors, VerifyError};
use serde::Serialize;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A folder of jobs, numbered as they are met.
#[derive(Debug)]
pub(super) struct Jobs {
    folder: PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    kernel: &'static str,
    variant: &'static str,
    descriptor: String,
    stages: Vec<Stage>,
    buffers: Vec<Buffer>,
}

#[derive(Debug, Serialize)]
struct Stage {
    label: &'static str,
    wgsl: String,
    params: Vec<u32>,
    bindings: Vec<&'static str>,
    ranges: Vec<Option<Range<u64>>>,
    workgroups: [u32; 3],
}

#[derive(Debug, Serialize)]
struct Buffer {
    name: &'static str,
    words: usize,
    bind: Range<u64>,
    written: bool,
}

impl Jobs {
    pub(super) fn new(folder: &Path) -> Result<Self, CliError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| CliError::Write { path: folder.to_owned(), source })?;
        Ok(Self::of(folder))
    }

    /// Those that a folder has already.
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), entries: Vec::new() }
    }

    fn file(&self, number: usize, extension: &str) -> PathBuf {
        self.folder.join(format!("{number}.{extension}"))
    }

    fn enter<D: Kernel>(&mut self, desc: &D, variant: &'static str, job: &Job) -> usize {
        let stage = |stage: &langevin::StageSource| Stage {
            label: stage.label,
            wgsl: stage.wgsl.clone(),
            params: stage.params.clone(),
            bindings: stage.bindings.clone(),
            ranges: stage.ranges.clone(),
            workgroups: stage.workgroups,
        };
        let buffer = |buffer: &JobBuffer| Buffer {
            name: buffer.name,
            words: buffer.words.len(),
            bind: buffer.bind.clone(),
            written: buffer.written,
        };
        self.entries.push(Entry {
            kernel: D::NAME,
            variant,
            descriptor: format!("{desc:?}"),
            stages: job.stages.iter().map(stage).collect(),
            buffers: job.runs[0].iter().map(buffer).collect(),
        });
        self.entries.len() - 1
    }

    /// Writes a job.
    pub(super) fn export<D: Kernel>(
        &mut self,
        desc: &D,
        variant: &'static str,
        job: &Job,
    ) -> Result<(), CliError> {
        let number = self.enter(desc, variant, job);
        let words = job.runs.iter().flatten().flat_map(|buffer| &buffer.words);
        let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        output::write_file(&self.file(number, "in"), &bytes)
    }

    /// Compares what became of a job, the next one in order, with the reference.
    pub(super) fn judge<D: Kernel>(
        &mut self,
        desc: &D,
        inputs: &Tensors,
        variant: &'static str,
        job: &Job,
    ) -> Result<Result<Vec<Comparison>, VerifyError>, CliError> {
        let number = self.enter(desc, variant, job);
        let path = self.file(number, "out");
        let bytes = std::fs::read(&path).map_err(|source| CliError::Read { path, source })?;
        let mut words =
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let mut next = |len: usize| words.by_ref().take(len).collect::<Vec<u32>>();
        let results = job
            .runs
            .each_ref()
            .map(|run| run.iter().map(|buffer| next(buffer.words.len())).collect::<Vec<_>>());
        Ok(job.judge(desc, inputs, &results))
    }

    /// Writes the list of the jobs.
    pub(super) fn finish(&self) -> Result<usize, CliError> {
        let json = serde_json::to_vec(&self.entries).map_err(CliError::Json)?;
        output::write_file(&self.folder.join("jobs.json"), &json)?;
        Ok(self.entries.len())
    }
}
