use super::*;
use crate::model::Modalities;

type Change = fn(&mut RawCatalog);

fn catalog() -> RawCatalog {
    let mut catalog = RawCatalog::default();
    catalog.providers.insert(
        "p".to_owned(),
        RawProvider {
            name: "Pee Inc".to_owned(),
            ..RawProvider::default()
        },
    );
    for slug in ["a/x", "a/y"] {
        let model = RawModel {
            context_length: 10,
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Text]),
            ..RawModel::default()
        };
        catalog.models.insert(slug.to_owned(), model);
        for tag in [None, Some("p/turbo".to_owned())] {
            let endpoint = RawEndpoint {
                model: slug.to_owned(),
                provider: "p".to_owned(),
                upstream_model: "up".to_owned(),
                tag,
                ..RawEndpoint::default()
            };
            catalog.endpoints.insert(endpoint.id(), endpoint);
        }
    }
    catalog
}

fn problems(change: impl FnOnce(&mut RawCatalog)) -> Vec<String> {
    let mut catalog = catalog();
    change(&mut catalog);
    Snapshot::build(catalog, &[])
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The endpoint with this id.
pub(crate) fn endpoint_with_id<'s>(snapshot: &'s Snapshot, id: &str) -> Option<&'s Endpoint> {
    snapshot
        .all_endpoints()
        .find(|endpoint| &*endpoint.id == id)
}

#[test]
fn endpoints_lie_beside_their_model() {
    let snapshot = Snapshot::build(catalog(), &[]).unwrap();
    for model in snapshot.models() {
        let endpoints = snapshot.endpoints(model.ix);
        assert_eq!(endpoints.len(), 2);
        for endpoint in endpoints {
            assert_eq!(endpoint.model, model.ix);
            assert_eq!(&*snapshot.endpoint(endpoint.ix).id, &*endpoint.id);
            let found = endpoint_with_id(&snapshot, &endpoint.id).unwrap();
            assert_eq!(found.ix, endpoint.ix);
            assert!(!endpoint.is_callable(), "no price, no call");
        }
    }
    assert_eq!(
        snapshot.provider_by_slug("pee inc").unwrap().ix,
        ProviderIx(0)
    );
    assert_eq!(snapshot.all_endpoints().len(), 4);
}

#[test]
fn the_version_is_that_of_the_contents() {
    let version = |change: fn(&mut RawCatalog)| {
        let mut catalog = catalog();
        change(&mut catalog);
        Snapshot::build(catalog, &[]).unwrap().version()
    };
    let before = version(|_| {});
    assert_eq!(before, version(|_| {}));
    assert_ne!(
        before,
        version(|c| c.models.get_mut("a/x").unwrap().context_length = 11)
    );
    assert_ne!(before, version(|c| drop(c.endpoints.remove("a/x@p"))));
}

#[test]
fn what_does_not_hold_together_is_refused() {
    let cases: [(&str, Change); 9] = [
        ("endpoints.a/x@p: there is no model \"a/z\"", |c| {
            c.endpoints.get_mut("a/x@p").unwrap().model = "a/z".to_owned();
        }),
        ("endpoints.a/x@p: there is no provider \"q\"", |c| {
            c.endpoints.get_mut("a/x@p").unwrap().provider = "q".to_owned();
        }),
        ("endpoints.a/x@p.upstream_model: missing", |c| {
            c.endpoints.get_mut("a/x@p").unwrap().upstream_model.clear();
        }),
        ("endpoints.a/x@p/turbo.tag: must be", |c| {
            c.endpoints.get_mut("a/x@p/turbo").unwrap().tag = Some("q/turbo".to_owned());
        }),
        ("endpoints.a/x@p/turbo: is filed under another name", |c| {
            c.endpoints.get_mut("a/x@p/turbo").unwrap().tag = Some("p/fast".to_owned());
        }),
        ("models.a/x.context_length: missing or zero", |c| {
            c.models.get_mut("a/x").unwrap().context_length = 0;
        }),
        ("models.a/x.output_modalities: nothing", |c| {
            c.models.get_mut("a/x").unwrap().output = Modalities::EMPTY;
        }),
        ("models.a/y.aliases: \"a/x\" already names another", |c| {
            c.models
                .get_mut("a/y")
                .unwrap()
                .aliases
                .push("a/x".to_owned());
        }),
        ("models.a/x:nitro: \":nitro\" is not one of", |c| {
            let model = c.models["a/x"].clone();
            c.models.insert("a/x:nitro".to_owned(), model);
        }),
    ];
    for (start, change) in cases {
        let found = problems(change);
        assert!(
            found.iter().any(|found| found.starts_with(start)),
            "{start}\n{found:#?}"
        );
    }
}

#[test]
fn an_empty_catalog_resolves_nothing() {
    let snapshot = Snapshot::build(RawCatalog::default(), &[]).unwrap();
    assert!(snapshot.resolve("a/b").is_none());
    assert_eq!(snapshot.models().len(), 0);
}
