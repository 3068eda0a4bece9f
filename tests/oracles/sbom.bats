# What a machine or an image is made of, held against CycloneDX's own schema.
load ../lib/helpers

@test "the list of a machine's packages is valid CycloneDX, and has all of them" {
	[ -e "$STARPIPE_TOP/build/oracles/ready" ] || skip "no validator is here: make test-oracles could not install it"
	"$STARPIPE_TOP/tests/lib/sbom.sh" starpipe v1 >"$BATS_TEST_TMPDIR/sbom.json"
	run -0 "$STARPIPE_TOP/build/oracles/bin/python" - "$BATS_TEST_TMPDIR/sbom.json" <<-'END'
	import sys
	from cyclonedx.schema import SchemaVersion
	from cyclonedx.validation.json import JsonStrictValidator
	print(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()) or 'valid')
	END
	[ "$output" = valid ]
	diff <(jq -r '.components[] | .name + " " + .version' "$BATS_TEST_TMPDIR/sbom.json" | sort) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' | sed -n 's/^installed //p' | sort)
}
