//! Where the page begins: puts the application in the place of the words that index.html shows first.
import { mount } from 'svelte';
import App from './App.svelte';
import './styles/base.css';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no element with the id "app"');
target.replaceChildren();
mount(App, { target });
