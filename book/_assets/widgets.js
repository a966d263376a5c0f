// html-manager asks require.js for the module "anywidget". This says that the site keeps it beside
// this file; without it, html-manager would look for it at another address.
requirejs.config({
  paths: { anywidget: new URL("vendor/anywidget", document.currentScript.src).href },
});
