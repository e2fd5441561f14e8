//! `cargo xtask validate`: the GPU suites under Khronos' validation layers, synchronization included.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::driver::Driver;
use crate::process::{Failure, file_failure, write_file};
use crate::test::prepare;
use crate::workspace::{cargo, target_folder};

/// Where Debian and Ubuntu put them.
const LAYERS: &str = "/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json";

/// What the layers say to standard output: errors and warnings, each kind a few times.
const SETTINGS: &str = "\
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn
khronos_validation.log_filename = stdout
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
khronos_validation.enable_message_limit = true
khronos_validation.duplicate_message_limit = 3
";

/// Messages that are not of our making: a part of the text, and the reason.
const KNOWN: [(&str, &str); 1] = [(
    "SPIR-V module not valid: Invalid source language operand: 10",
    "layers before 1.3.250 do not know WGSL as a source language, which naga names",
)];

/// How the layers' messages begin.
const MARKS: [&str; 3] = ["Validation Error: ", "Validation Warning: ", "Validation Performance Warning: "];

pub(crate) fn run(cargo_args: &[OsString]) -> Result<(), Failure> {
    let driver = Driver::stock()?;
    // The loader passes over a layer that is not there.
    if !std::path::Path::new(LAYERS).is_file() {
        return Err(Failure::new(format!("{LAYERS} is missing: install vulkan-validationlayers")));
    }
    let folder = target_folder()?.join("layers");
    std::fs::create_dir_all(&folder).map_err(|error| file_failure("not created", &folder, &error))?;
    write_file(&folder.join("vk_layer_settings.txt"), SETTINGS)?;
    let mut command = cargo();
    command.args(["test", "--workspace", "--tests", "--no-fail-fast"]).args(cargo_args);
    prepare(&mut command, &driver)?;
    command.env("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation").env("VK_LAYER_SETTINGS_PATH", &folder);
    eprintln!("the tests on {} under the validation layers; this takes a while", driver.name);
    let output = output_of(&mut command)?;
    let messages = messages(&output);
    let mut ours = 0;
    for (message, count) in &messages {
        match reason(message) {
            Some(reason) => println!("{count} times, not of our making ({reason}):\n  {message}"),
            None => {
                ours += 1;
                println!("{count} times:\n  {message}");
            }
        }
    }
    if ours == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!("{ours} kinds of messages without a known reason")))
    }
}

fn reason(message: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(part, _)| message.contains(part)).map(|(_, reason)| *reason)
}

/// Each message, without the handles in it, and how often it came.
fn messages(output: &str) -> BTreeMap<String, usize> {
    let mut messages = BTreeMap::new();
    for line in output.lines() {
        let Some(text) = MARKS.iter().find_map(|mark| line.split_once(mark)) else { continue };
        // [ ID ] objects | number | text
        let (id, rest) = text.1.split_once(" ] ").unwrap_or((text.1, ""));
        let text = rest.rsplit_once(" | ").map_or(rest, |(_, text)| text);
        *messages.entry(format!("{} {text}", id.trim_start_matches("[ "))).or_insert(0) += 1;
    }
    messages
}

/// What a command writes, whatever becomes of it: a test that fails under the layers is their affair.
fn output_of(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("cargo did not start: {error}")))?;
    Ok([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_kind() {
        let line = |handle: &str| {
            format!(
                "UNASSIGNED-Shader(ERROR / SPEC): msgNum: 7 - Validation Error: [ UNASSIGNED-Shader ] Object 0: handle \
                 = {handle}, type = DEVICE; | MessageID = 0x6b | SPIR-V module not valid: Invalid source language operand: 10\n"
            )
        };
        let output = format!("test shapes ... ok\n{}{}    Objects: 1\n", line("0x7f1"), line("0x7f2"));
        let found = messages(&output);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [(
                "UNASSIGNED-Shader SPIR-V module not valid: Invalid source language operand: 10".to_owned(),
                2
            )]
        );
        assert!(
            reason("UNASSIGNED-Shader SPIR-V module not valid: Invalid source language operand: 10")
                .is_some()
        );
        assert!(reason("SYNC-HAZARD-WRITE_AFTER_READ").is_none());
        assert!(messages("test result: ok").is_empty());
    }
}
