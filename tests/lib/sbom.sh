#!/bin/sh
# sbom.sh NAME VERSION - what this Debian machine (an image, say) is made of, as CycloneDX 1.5
#
# Its component is NAME, its parts are the installed packages, by dpkg-query.
set -eu

# purl percent-encodes what is special in a URL; ~ and . are not
dpkg-query -W -f '${db:Status-Status} ${Package} ${Version} ${Architecture}\n' | LC_ALL=C sort |
	awk -v name="$1" -v version="$2" -v now="$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
		-v distro="$(. /etc/os-release && echo "${ID:-debian} ${VERSION_ID:-}")" '
	function encoded(s) { gsub(/%/, "%25", s); gsub(/\+/, "%2B", s); gsub(/:/, "%3A", s); return s }
	BEGIN {
		split(distro, os, " ")
		printf "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,\n"
		printf "\"metadata\":{\"timestamp\":\"%s\",", now
		printf "\"component\":{\"type\":\"application\",\"bom-ref\":\"%s\",", name
		printf "\"name\":\"%s\",\"version\":\"%s\"}},\n\"components\":[", name, version
	}
	$1 == "installed" {
		purl = "pkg:deb/" os[1] "/" encoded($2) "@" encoded($3) "?arch=" $4 "&distro=" os[1] "-" os[2]
		printf "%s\n{\"type\":\"library\",\"bom-ref\":\"%s\",", n++ ? "," : "", purl
		printf "\"name\":\"%s\",\"version\":\"%s\",\"purl\":\"%s\"}", $2, $3, purl
	}
	END { print "\n]}"; exit !n }'
