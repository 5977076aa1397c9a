#!/bin/sh
# Builds a driver with the very lines of docs/ADOPT.md, by hand and by CMake, on what an installation has.
# Usage: adopt.sh BUILD ROOT KIT
set -eu
build=$1 root=$2 KIT=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
P=$work/prefix
export P KIT
cmake --install "$build" --prefix "$P" >/dev/null

# The block of code in the document's language.
block() {
    awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next } /^```/ { inside = 0 } inside' "$root/docs/ADOPT.md"
}

mkdir "$work/driver"
cd "$work/driver"
# The lines that it shows, in a driver that is whole: its `...` are left out, and something is allocated.
cat >driver.c <<'END'
#include <ntifs.h>
static PVOID Block;
static VOID NTAPI DriverUnload(PDRIVER_OBJECT Driver);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath);
END
block c | sed -e 's/^NTSTATUS DriverEntry/NTSTATUS NTAPI DriverEntry/' -e 's/^VOID DriverUnload/static VOID NTAPI DriverUnload/' \
    -e '0,/^    \.\.\.$/s//    Block = RxAllocatePoolWithTag(NonPagedPool, 100, 0x74736554); (void)RegistryPath;\n    Driver->DriverUnload = DriverUnload; return STATUS_SUCCESS;/' \
    -e 's/^    \.\.\.$/    RxFreePool(Block); (void)Driver;/' >>driver.c
block sh >build.sh
sh -e build.sh
[ -s driver.sys ]
x86_64-w64-mingw32-nm driver.sys | grep -q RxPoolUnload
rm driver.sys

{
    echo 'cmake_minimum_required(VERSION 3.22)'
    echo 'project(adopt C)'
    block cmake
} >CMakeLists.txt
cmake -S . -B build -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/cmake/mingw.cmake" -DCMAKE_BUILD_TYPE=Debug \
    -DP="$P" -DKIT="$KIT" >/dev/null
cmake --build build >/dev/null
[ -s build/driver.sys ]
x86_64-w64-mingw32-nm build/driver.sys | grep -q RxPoolUnload
echo "both build a checked driver"
