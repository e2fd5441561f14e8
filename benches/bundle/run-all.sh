#!/bin/sh
# Checks and times every kernel on this machine's GPU, runs the baselines where PyTorch or JAX is installed, and leaves
# one file, result.json. It needs a shell and a Vulkan driver; no Rust, no network.
#
#   ./run-all.sh [--quick] [--seconds S] [--out DIR]
#
#   --quick      small cases and few samples: minutes, also on a CPU
#   --seconds S  seconds for each variant of a case of the benchmark
#   --out DIR    the folder for the results [default: results, beside this script]
#
# PYTHON names the interpreter of the baselines [python3]; LIMIT the seconds that a step may take [3600].
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
out=$here/results quick='' seconds=''
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=--quick ;;
        --seconds) seconds=${2:?--seconds needs a number}; shift ;;
        --out) out=${2:?--out needs a folder}; shift ;;
        *) echo "run-all.sh does not take $1; it takes --quick, --seconds S and --out DIR" >&2; exit 2 ;;
    esac
    shift
done
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
rm -f "$out"/*.json "$out"/*.html "$out"/*.txt "$out"/steps

# Mesa's layer that chooses between GPUs asks Wayland, and complains where there is none.
NODEVICE_SELECT=1
export NODEVICE_SELECT

# Containers often have the vendor's driver without the loader that finds it, or without the driver's manifest.
langevin() { "$here/langevin" "$@"; }
if ! langevin info --brief >/dev/null 2>&1 && [ -f "$here/lib/libvulkan.so.1" ]; then
    LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    echo "No adapter with this machine's Vulkan loader; trying the one in lib/."
fi
if ! langevin info --brief >/dev/null 2>&1 && [ -z "${VK_DRIVER_FILES:-}" ]; then
    printf '%s\n' '{"file_format_version": "1.0.0", "ICD": {"library_path": "libGLX_nvidia.so.0", "api_version": "1.3.0"}}' \
        >"$out/nvidia_icd.json"
    VK_DRIVER_FILES=$out/nvidia_icd.json VK_ICD_FILENAMES=$out/nvidia_icd.json
    export VK_DRIVER_FILES VK_ICD_FILENAMES
    echo "No adapter with this machine's driver manifests; trying NVIDIA's library by its name."
fi

limited=
command -v timeout >/dev/null && limited="timeout ${LIMIT:-3600}"
failed=''
# step NAME COMMAND...: its output goes to the terminal and to NAME.txt, its exit code and time into the result.
step() {
    name=$1
    shift
    printf '\n== %s ==\n' "$name"
    begun=$(date +%s)
    { $limited "$@" 2>&1; echo $? >"$out/.code"; } | tee "$out/$name.txt"
    code=$(cat "$out/.code")
    rm -f "$out/.code"
    [ "$code" = 0 ] || failed="$failed $name"
    echo "$name $code $(($(date +%s) - begun))" >>"$out/steps"
}

step info "$here/langevin" info
step doctor "$here/langevin" doctor --json "$out/doctor.json" --html "$out/doctor.html"
[ -f "$here/COMMIT" ] && LANGEVIN_COMMIT=$(cat "$here/COMMIT") && export LANGEVIN_COMMIT
step bench "$here/langevin" bench $quick ${seconds:+--seconds "$seconds"} \
    --json "$out/bench.json" --html "$out/bench.html"

python=${PYTHON:-python3}
size=--large
"$here/langevin" info --brief 2>/dev/null | head -n 1 | grep -q '| Cpu |' && size=
[ -z "$quick" ] || size='--samples 5'
for library in torch jax; do
    if "$python" -c "import numpy, $library" >/dev/null 2>&1; then
        step "$library" "$python" "$here/baselines/${library}_baseline.py" $size --json "$out/$library.json"
    else
        printf '\n== %s ==\nnot installed for %s: passed over\n' "$library" "$python"
    fi
done

# The parts are JSON already, so that a shell can join them.
text() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/ /g' | tr -d '\001-\011\013-\037'; }
quoted() { text | sed -e 's/.*/"&"/' | paste -s -d , -; }
{
    printf '{"schema": 1,\n"commit": %s,\n' "$(cat "$here/COMMIT" 2>/dev/null | quoted)"
    printf '"date": "%s",\n"host": "%s",\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(uname -srm | text)"
    printf '"steps": {'
    awk '{ printf "%s\"%s\": {\"exit_code\": %d, \"seconds\": %d}", (NR > 1 ? ", " : ""), $1, $2, $3 }' "$out/steps"
    printf '},\n"info": ['
    quoted <"$out/info.txt"
    printf ']'
    for part in doctor bench torch jax; do
        printf ',\n"%s": ' "$part"
        if [ -s "$out/$part.json" ]; then cat "$out/$part.json"; else echo null; fi
    done
    printf '}\n'
} >"$out/.result" && mv "$out/.result" "$out/result.json"
rm -f "$out/steps"

printf '\nEverything is in %s\n' "$out/result.json"
if [ -n "$failed" ]; then
    echo "These steps failed:$failed" >&2
    exit 1
fi
