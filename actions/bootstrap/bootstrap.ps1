# Finds the pester-gate binary on Windows PowerShell 5.1 and PowerShell 7. ASCII only.
# Prints its path on stdout. In a step of an action (PESTER_GATE_LAYER is set), it sets the output 'path', and the
# binary prepares the next steps. Exit code 0: found; 2: not usable. Then the reason code comes first on stderr, in an
# annotation and in the summary, and the outputs 'status' and 'reason' are set.
# Nothing is run before its hash is known, except a path that the caller named.
param(
    [string] $Version = $env:PESTER_GATE_VERSION,
    [string] $ManifestPath,
    [string] $BaseUrl = $env:PESTER_GATE_DOWNLOAD_URL,
    [string] $CacheRoot = $env:RUNNER_TOOL_CACHE
)
$ErrorActionPreference = 'Stop'
# The progress bar makes a download on 5.1 many times slower.
$ProgressPreference = 'SilentlyContinue'

function Set-Output([string] $Name, [string] $Value) {
    if (-not $env:GITHUB_OUTPUT) { return }
    # No mark at the beginning, whatever this PowerShell thinks of encodings.
    [IO.File]::AppendAllText($env:GITHUB_OUTPUT, "$Name=$Value`n", (New-Object Text.UTF8Encoding $false))
}

function Stop-Bootstrap([string] $Code, [string] $Message) {
    $line = ("${Code}: $Message" -replace '[\r\n]+', ' ')
    [Console]::Error.WriteLine($line)
    if ($env:GITHUB_STEP_SUMMARY) {
        $summary = "### pester-gate could not start`n`n    $line`n`n"
        [IO.File]::AppendAllText($env:GITHUB_STEP_SUMMARY, $summary, (New-Object Text.UTF8Encoding $false))
        [Console]::Out.WriteLine('::error title=pester-gate::' + ($line -replace '%', '%25'))
    }
    $status = 'seam-defect'
    if (@('route', 'context', 'preflight', 'selection') -contains $env:PESTER_GATE_LAYER) { $status = 'blocked' }
    Set-Output 'status' $status
    Set-Output 'reason' $Code
    exit 2
}

function Complete-Bootstrap([string] $Path) {
    if ($Path -match '[\r\n]') { Stop-Bootstrap 'bootstrap-binary-missing' 'the path of the binary holds a line end' }
    Set-Output 'path' $Path
    if ($env:PESTER_GATE_LAYER -and ($env:RUNNER_TEMP -or $env:GITHUB_PATH)) {
        $code = -1
        try {
            & $Path step --prepare
            $code = $LASTEXITCODE
        }
        catch { [Console]::Error.WriteLine($_.Exception.Message) }
        # The binary has reported the reason.
        if ($code -eq 73) { exit 2 }
        if ($code -ne 0) {
            Stop-Bootstrap 'bootstrap-binary-missing' "'$Path' is not a pester-gate that fits these actions"
        }
    }
    [Console]::Out.WriteLine($Path)
    exit 0
}

function Get-Digest([string] $Path) {
    (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash.ToLowerInvariant()
}

# The input of the action, else the variable of the host.
$given = $env:PESTER_GATE_BIN
$name = 'PESTER_GATE_BIN'
if ($env:PESTER_GATE_BINARY) {
    $given = $env:PESTER_GATE_BINARY
    $name = 'the input binary'
}
if ($given) {
    if (-not (Test-Path -LiteralPath $given -PathType Leaf)) {
        Stop-Bootstrap 'bootstrap-binary-missing' "$name names '$given', which is not a file"
    }
    Complete-Bootstrap (Resolve-Path -LiteralPath $given).ProviderPath
}

if (-not $Version) { $Version = ([IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'version.txt'))).Trim() }
if (-not $ManifestPath) { $ManifestPath = [IO.Path]::Combine($PSScriptRoot, 'manifest.sha256') }
$onWindows = $env:OS -eq 'Windows_NT'
$machine = [Runtime.InteropServices.RuntimeInformation]::OSArchitecture.ToString()
$arch = @{ X64 = 'x86_64'; Arm64 = 'aarch64' }[$machine]
if (-not $arch) { Stop-Bootstrap 'bootstrap-binary-missing' "no binary is published for $machine; set PESTER_GATE_BIN to one that you built" }
$target = "$arch-unknown-linux-musl"
$suffix = ''
if ($onWindows) { $target = "$arch-pc-windows-msvc"; $suffix = '.exe' }
elseif ($IsMacOS) { $target = "$arch-apple-darwin" }
$asset = "pester-gate-$Version-$target$suffix"

if (-not (Test-Path -LiteralPath $ManifestPath -PathType Leaf)) {
    Stop-Bootstrap 'bootstrap-binary-missing' "the manifest '$ManifestPath' is missing; set PESTER_GATE_BIN to a pester-gate that you built"
}
$lines = @(Get-Content -LiteralPath $ManifestPath | Where-Object { $_ })
if ($lines.Count -eq 0) {
    Stop-Bootstrap 'bootstrap-binary-missing' 'this ref is no release, so no binary belongs to it; use a release tag, or set PESTER_GATE_BIN to a pester-gate that you built'
}
$entries = @($lines | Where-Object { $_ -match '^[0-9a-f]{64} [ *]' -and $_.Substring(66) -ceq $asset })
if ($entries.Count -ne 1) {
    Stop-Bootstrap 'bootstrap-binary-missing' "the manifest has no single entry for $asset; set PESTER_GATE_BIN to a pester-gate that you built"
}
$want = $entries[0].Substring(0, 64)

if (-not $CacheRoot) { $CacheRoot = [IO.Path]::Combine([IO.Path]::GetTempPath(), 'pester-gate-tool-cache') }
$folder = [IO.Path]::Combine($CacheRoot, 'pester-gate', $Version, $target)
$bin = [IO.Path]::Combine($folder, "pester-gate$suffix")
if (Test-Path -LiteralPath $bin -PathType Leaf) {
    if ((Get-Digest $bin) -ceq $want) { Complete-Bootstrap $bin }
    [Console]::Error.WriteLine('pester-gate bootstrap: the cached binary does not match the manifest and is fetched again')
}

if (-not $BaseUrl) {
    # Where the release is, the release itself wrote down: called from another repository or copied, no variable knows it.
    $noted = [IO.Path]::Combine($PSScriptRoot, 'release-url.txt')
    $released = ''
    if (Test-Path -LiteralPath $noted -PathType Leaf) { $released = ([IO.File]::ReadAllText($noted)).Trim() }
    if (-not $released) {
        Stop-Bootstrap 'bootstrap-binary-missing' 'release-url.txt does not say where the release is; set PESTER_GATE_DOWNLOAD_URL or PESTER_GATE_BIN'
    }
    $BaseUrl = "$released/releases/download/v$Version"
}
$url = "$($BaseUrl.TrimEnd('/'))/$asset"
$part = $null
$code = $null
$message = ''
try {
    $null = [IO.Directory]::CreateDirectory($folder)
    $part = [IO.Path]::Combine($folder, [IO.Path]::GetRandomFileName())
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    # A 4xx is an answer; what else goes wrong is tried again.
    for ($try = 1; ; $try++) {
        try {
            Invoke-WebRequest -Uri $url -OutFile $part -UseBasicParsing -TimeoutSec 120
            break
        }
        catch {
            $answer = 0
            if ($_.Exception.Response) { $answer = [int]$_.Exception.Response.StatusCode }
            if ($try -ge 3 -or ($answer -ge 400 -and $answer -lt 500 -and $answer -ne 429)) {
                $code = 'bootstrap-download-failed'
                $message = "could not download $url (status $answer): $($_.Exception.Message)"
                break
            }
            Start-Sleep -Seconds (2 * $try)
        }
    }
    if (-not $code) {
        $got = Get-Digest $part
        if ($got -cne $want) {
            $code = 'bootstrap-hash-refused'
            $message = "$asset has sha256 $got, the manifest says $want"
        }
    }
    if (-not $code) {
        if (-not $onWindows) { & chmod 755 $part }
        try {
            if (Test-Path -LiteralPath $bin) { [IO.File]::Delete($bin) }
            [IO.File]::Move($part, $bin)
        }
        catch {
            # Another job was first, or is running it: good if it is the same.
            if (-not ((Test-Path -LiteralPath $bin) -and (Get-Digest $bin) -ceq $want)) { throw }
        }
    }
}
catch {
    $code = 'bootstrap-download-failed'
    $message = "the tool cache '$folder': $($_.Exception.Message)"
}
finally {
    if ($part -and (Test-Path -LiteralPath $part)) { [IO.File]::Delete($part) }
}
if ($code) { Stop-Bootstrap $code $message }
Complete-Bootstrap $bin
