//! Where others come in: the sockets that were taken first of all, and what
//! serves them once everything is ready.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::pipeline::Worker;
use bourse_net::Client;
use socket2::Socket;
use tokio::sync::watch;

use super::{Error, workers};
use crate::certificate::{self, Certificate};
use crate::config::{AdminListen, Config};
use crate::control::Routers;
use crate::manager::Sockets;
use crate::worker::{self, AdminDoor, AdminWaits, Encrypted, Hosts, Service};

/// Sockets that are taken, and refuse connections.
pub(super) struct Doors {
    pub(super) address: SocketAddr,
    sockets: Vec<Socket>,
    certificate: Option<Certificate>,
    admin: Option<AdminDoor>,
}

impl Doors {
    /// Takes them, and reads what is shown at them.
    pub(super) fn reserve(config: &Config, given: Sockets) -> Result<Self, Error> {
        let certificate = config.tls.as_ref().map(Certificate::open).transpose()?;
        let admin = match (given.admin, &config.admin_listen) {
            (Some(socket), _) => Some(AdminDoor::handed_over(socket)?),
            (None, Some(at)) => Some(AdminDoor::reserve(at)?),
            (None, None) => None,
        };
        let (address, sockets) = match given.public {
            Some(socket) => worker::share(&socket, config.workers)
                .map_err(|error| format!("the socket that was handed over: {error}"))?,
            None => worker::reserve(config.listen, config.workers)
                .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?,
        };
        Ok(Self {
            address,
            sockets,
            certificate,
            admin,
        })
    }

    /// Where operators come in, if they do.
    pub(super) fn admin_at(&self) -> Option<&AdminListen> {
        self.admin.as_ref().map(AdminDoor::at)
    }

    /// Opens them: from here on the kernel takes connections, operators are
    /// served, and what the workers serve with is returned.
    pub(super) fn open(
        self,
        (config, stopping): (&Config, &watch::Receiver<bool>),
        gateway: &Arc<Gateway>,
        (routers, clients): (Routers, Vec<Client>),
    ) -> Result<(Vec<TcpListener>, Vec<Service>), Error> {
        let tls = certificate::keep(self.certificate, &gateway.alarms, stopping)?;
        let written = config.hosts.as_deref();
        let hosts = Hosts::new(written, self.address.ip().is_loopback());
        let service = |client| Service {
            worker: Worker::new(gateway, client),
            control: routers.public.clone(),
            control_runtime: tokio::runtime::Handle::current(),
            encrypted: tls.as_ref().map(Encrypted::new),
            hosts: hosts.clone(),
            waits: config.limits.waits(),
            write_timeout: config.limits.write_timeout,
            stop_timeout: config.limits.stop_timeout,
        };
        let services = clients.into_iter().map(service).collect();
        let listeners = workers::listen(self.sockets)?;
        if let (Some(admin), Some(router)) = (self.admin, routers.admin) {
            let is_local = admin.at().is_local();
            let waits = AdminWaits {
                head: config.limits.head_timeout.max(config.limits.idle_timeout),
                write: config.limits.write_timeout,
            };
            admin.open(router, Hosts::new(written, is_local), waits)?;
        }
        Ok((listeners, services))
    }
}
