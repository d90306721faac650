# shellcheck shell=bash
# ./dev package: the release binary as a tarball, a Debian package and an OCI
# image, with checksums and a list of what is linked in.
#
# Sourced by ./dev, never run. The same binary gives the same bytes in every
# folder and at every hour: names are sorted, owners are numbers, times are
# that of the commit (SOURCE_DATE_EPOCH), and what packs writes no name and
# no time of its own. docs/operate.md says what makes the binary the same.

PACKAGE_TARGET=x86_64-unknown-linux-gnu
# Debian's own image without a shell has the same number for its user.
IMAGE_USER=65532

package_all() { # [--binary FILE] [--out DIRECTORY] [--package-version VERSION] [--quick]
  local binary= out=target/package version= work level=9
  while [ $# -gt 0 ]; do
    case $1 in
      # For tests, which unpack at once what is packed.
      --quick)
        level=1
        shift
        continue
        ;;
      --binary) binary=${2:?package: --binary needs a file} ;;
      --out) out=${2:?package: --out needs a directory} ;;
      --package-version) version=${2:?package: --package-version needs a version} ;;
      *) die "package: unknown argument $1" ;;
    esac
    shift 2
  done
  [ "$(uname -m)" = x86_64 ] || die "package: only x86_64 is packaged, and this machine is $(uname -m)"
  if [ -z "$binary" ]; then
    build_release
    binary=$RELEASE_BINARY
  fi
  [ -x "$binary" ] || die "package: there is no program $binary"
  : "${version:=$(sed -nE 's/^version = "(.*)"$/\1/p' Cargo.toml | head -n1)}"
  : "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
  export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
  umask 022

  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of this run, not of a later one
  trap "rm -rf '$work'" EXIT
  install -D -m 755 "$binary" "$work/bin/bourse"
  strip --strip-debug "$work/bin/bourse"
  mkdir -p "$work/man" "$work/complete"
  "$work/bin/bourse" man --dir "$work/man" >/dev/null
  local shell
  for shell in bash zsh fish; do
    "$work/bin/bourse" completions "$shell" >"$work/complete/$shell"
  done

  rm -rf "$out"
  mkdir -p "$out"
  local name="bourse-$version-linux-x86_64"
  package_tarball "$work" "$out/$name.tar.gz" "bourse-$version"
  package_debian "$work" "$out/bourse_${version}_amd64.deb" "$version"
  package_image "$work" "$out/$name.oci.tar" "$version"
  package_sbom >"$out/$name.cdx.json"
  (cd "$out" && sha256sum -- bourse* >SHA256SUMS)
  package_runs_on "$work/bin/bourse" >&2
  (cd "$out" && ls -l -- * >&2)
}

# The highest version of a symbol that is wanted of the C library.
glibc_of() { # binary
  readelf --version-info "$1" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n1
}

# A release binary wants the C library, its mathematics and the unwinder of
# GCC, which every system has that is not built on another C library.
package_runs_on() { # binary
  local wanted
  wanted=$(readelf --dynamic "$1" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | tr '\n' ' ')
  say "the binary needs ${wanted}of glibc $(glibc_of "$1") or newer, and a kernel for x86_64"
}

# Packs a directory so that only names, modes and contents count.
pack() { # directory names-and-tar-arguments...
  local directory=$1
  shift
  tar --create --directory "$directory" --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner --format=gnu "$@"
}

# --- Tarball ----------------------------------------------------------------

package_tarball() { # work file folder
  local tree="$1/tarball/$3"
  install -D -m 755 "$1/bin/bourse" "$tree/bin/bourse"
  install -D -m 644 -t "$tree" LICENSE README.md CHANGELOG.md bourse.example.toml
  install -D -m 644 -t "$tree/share/man/man1" "$1"/man/*
  install -D -m 644 "$1/complete/bash" "$tree/share/bash-completion/completions/bourse"
  install -D -m 644 "$1/complete/zsh" "$tree/share/zsh/site-functions/_bourse"
  install -D -m 644 "$1/complete/fish" "$tree/share/fish/vendor_completions.d/bourse.fish"
  install -D -m 644 -t "$tree/packaging" packaging/bourse.service packaging/bourse.toml \
    packaging/nginx.conf packaging/Caddyfile
  install -D -m 644 -t "$tree/docs" docs/operate.md docs/configuration.md docs/metrics.md
  pack "$1/tarball" "$3" | gzip "-${level}n" >"$2"
}

# --- Debian -----------------------------------------------------------------

package_debian() { # work file version
  local tree="$1/debian" doc="$1/debian/usr/share/doc/bourse" script
  install -D -m 755 "$1/bin/bourse" "$tree/usr/bin/bourse"
  install -D -m 644 packaging/bourse.service "$tree/usr/lib/systemd/system/bourse.service"
  install -D -m 640 packaging/bourse.toml "$tree/etc/bourse/bourse.toml"
  install -D -m 644 -t "$tree/usr/share/man/man1" "$1"/man/*
  gzip -9n "$tree"/usr/share/man/man1/*
  install -D -m 644 "$1/complete/bash" "$tree/usr/share/bash-completion/completions/bourse"
  install -D -m 644 "$1/complete/zsh" "$tree/usr/share/zsh/vendor-completions/_bourse"
  install -D -m 644 "$1/complete/fish" "$tree/usr/share/fish/vendor_completions.d/bourse.fish"
  install -D -m 644 -t "$doc" README.md bourse.example.toml packaging/debian/copyright \
    docs/operate.md docs/configuration.md docs/metrics.md
  install -D -m 644 -t "$doc/examples" packaging/nginx.conf packaging/Caddyfile
  install -D -m 644 CHANGELOG.md "$doc/changelog"
  gzip -9n "$doc/changelog"

  mkdir -p "$tree/DEBIAN"
  for script in postinst prerm postrm; do
    install -m 755 "packaging/debian/$script" "$tree/DEBIAN/$script"
  done
  install -m 644 packaging/debian/conffiles "$tree/DEBIAN/conffiles"
  (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort | xargs -d '\n' md5sum) \
    >"$tree/DEBIAN/md5sums"
  sed -e "s/@VERSION@/$3/" -e "s/@GLIBC@/$(glibc_of "$1/bin/bourse")/" \
    -e "s/@SIZE@/$(installed_kib "$tree")/" packaging/debian/control >"$tree/DEBIAN/control"
  # dpkg-deb itself takes SOURCE_DATE_EPOCH for all that is newer.
  find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  # One thread, and named: the compressed form must not depend on the machine.
  dpkg-deb --root-owner-group --threads-max=1 -Zxz "-z$((level / 3 * 2))" --build "$tree" "$2" >/dev/null
}

# As dpkg counts: a file is so many KiB, everything else one (deb-substvars(5)).
# du would count the blocks of this disk.
installed_kib() { # directory
  find "$1" -path "$1/DEBIAN" -prune -o \( -type f -printf '%s\n' -o -printf '1\n' \) |
    awk '{ sum += ($1 == 1) ? 1 : int(($1 + 1023) / 1024) } END { print sum }'
}

# --- OCI --------------------------------------------------------------------

# An image of one layer: the program, the libraries that it is linked with, a
# user, a configuration. It has no shell and nothing to install with. Format:
# github.com/opencontainers/image-spec v1.1 (2024-02).
package_image() { # work file version
  local tree="$1/image" oci="$1/oci" library
  install -D -m 755 "$1/bin/bourse" "$tree/usr/bin/bourse"
  # Each under the name by which it is asked for; the kernel asks for the
  # loader by the one in the program's head.
  ldd "$1/bin/bourse" | sed -nE 's,.*(=> )?[[:space:]](/[^ ]+) \(0x.*,\2,p' | sort | while read -r library; do
    case $library in
      */ld-linux*) install -D -m 755 "$library" "$tree/lib64/${library##*/}" ;;
      *) install -D -m 644 "$library" "$tree/lib/x86_64-linux-gnu/${library##*/}" ;;
    esac
  done
  for library in libc6 libgcc-s1; do
    [ ! -e "/usr/share/doc/$library/copyright" ] ||
      install -D -m 644 "/usr/share/doc/$library/copyright" "$tree/usr/share/doc/$library/copyright"
  done
  install -D -m 644 LICENSE "$tree/usr/share/doc/bourse/copyright"
  install -D -m 644 packaging/image.toml "$tree/etc/bourse/bourse.toml"
  printf 'root:x:0:0:root:/:/sbin/nologin\nbourse:x:%s:%s:Bourse:/var/lib/bourse:/sbin/nologin\n' \
    "$IMAGE_USER" "$IMAGE_USER" >"$tree/etc/passwd"
  printf 'root:x:0:\nbourse:x:%s:\n' "$IMAGE_USER" >"$tree/etc/group"
  printf 'hosts: files dns\n' >"$tree/etc/nsswitch.conf"
  mkdir -p "$tree/var/lib/bourse" "$tree/tmp"
  chmod 1777 "$tree/tmp"

  mkdir -p "$oci/blobs/sha256"
  {
    pack "$tree" --exclude=./var/lib/bourse . >"$1/layer.tar"
    # The one directory that is the user's.
    tar --append --file "$1/layer.tar" --directory "$tree" --mtime="@$SOURCE_DATE_EPOCH" \
      --owner="$IMAGE_USER" --group="$IMAGE_USER" --numeric-owner --format=gnu --mode=0700 --no-recursion ./var/lib/bourse
  }
  local layer config manifest diff created
  diff=$(sha256sum <"$1/layer.tar" | cut -d' ' -f1)
  gzip "-${level}n" "$1/layer.tar"
  layer=$(blob "$oci" <"$1/layer.tar.gz")
  created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
  config=$(image_config "$3" "$diff" "$created" | blob "$oci")
  manifest=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
    "$(descriptor "$oci" config.v1+json "$config")" \
    "$(descriptor "$oci" layer.v1.tar+gzip "$layer")" | blob "$oci")
  printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
  descriptor "$oci" manifest.v1+json "$manifest" |
    sed -E "s/^(.*)\}\$/{\"schemaVersion\":2,\"manifests\":[\1,\"annotations\":{\"org.opencontainers.image.ref.name\":\"$3\"}}]}/" \
      >"$oci/index.json"
  chmod -R u=rwX,go=rX "$oci"
  pack "$oci" oci-layout index.json blobs >"$2"
}

# Keeps what comes under the name of its checksum, and prints that.
blob() { # layout
  local sum
  cat >"$1/blobs/new"
  sum=$(sha256sum <"$1/blobs/new" | cut -d' ' -f1)
  mv "$1/blobs/new" "$1/blobs/sha256/$sum"
  echo "$sum"
}

descriptor() { # layout type sum
  printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s}' \
    "$2" "$3" "$(stat -c %s "$1/blobs/sha256/$3")"
}

# SQLite wants a place for what it sorts, and /tmp of a read-only root is none
# (sqlite.org/tempfiles.html).
image_config() { # version diff created
  cat <<JSON
{"created":"$3","architecture":"amd64","os":"linux",
"config":{"User":"$IMAGE_USER:$IMAGE_USER","ExposedPorts":{"8787/tcp":{}},
"Env":["PATH=/usr/bin","BOURSE_CONFIG=/etc/bourse/bourse.toml","SQLITE_TMPDIR=/var/lib/bourse"],
"Entrypoint":["/usr/bin/bourse"],"Cmd":["serve"],
"Volumes":{"/var/lib/bourse":{}},"WorkingDir":"/var/lib/bourse","StopSignal":"SIGTERM",
"Labels":{"org.opencontainers.image.title":"bourse","org.opencontainers.image.version":"$1",
"org.opencontainers.image.licenses":"Apache-2.0","org.opencontainers.image.created":"$3",
"org.opencontainers.image.description":"Open model gateway with exact money"}},
"rootfs":{"type":"layers","diff_ids":["sha256:$2"]},
"history":[{"created":"$3","created_by":"./dev package"}]}
JSON
}

# --- What is linked in -------------------------------------------------------

package_sbom() {
  cargo metadata --locked --format-version 1 --filter-platform "$PACKAGE_TARGET" |
    python3 scripts/sbom.py Cargo.lock
}
